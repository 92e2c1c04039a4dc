// Calls that flow through the gateway all the time, and what is known of them: how many, how many failed, with which certificate.
import { setTimeout as wait } from 'node:timers/promises';
import type { RunningHost } from '../demo-api/server.ts';
import { type Answered, callThroughGateway, invocationOf } from '../demo-call.ts';

export interface Load {
  readonly calls: number;
  readonly failed: number;
  /** What the first of the failed ones was told; one line. */
  readonly firstFailure: string | undefined;
  /** What the latest call of this host presented; undefined before the first. */
  clientAt(host: string): Answered['handshake']['client'] | undefined;
  /** Begins no further call, and waits for those under way. */
  stop(): Promise<void>;
}

/** Between a call and the next one of the same caller: bots do not call in a closed loop, and this is one machine. */
const pauseMs = 10;

/** `callers` of them to each host, each with one call at a time. */
export function startLoad(gatewayUrl: string, hosts: readonly RunningHost[], callers: number): Load {
  const clients = new Map<string, Answered['handshake']['client']>();
  let calls = 0;
  let failed = 0;
  let firstFailure: string | undefined;
  let isOver = false;

  async function keepCalling(host: RunningHost): Promise<void> {
    while (!isOver) {
      const failure = await callOnce(host);
      calls += 1;
      if (failure !== undefined) {
        failed += 1;
        firstFailure ??= `${host.host}: ${failure}`;
      }
      await wait(pauseMs);
    }
  }

  /** @returns what went wrong */
  async function callOnce(host: RunningHost): Promise<string | undefined> {
    try {
      const result = await callThroughGateway(gatewayUrl, invocationOf(host));
      if ('failed' in result) return `${result.failed.code}, ${result.failed.detail}`;
      clients.set(host.host, result.answered.handshake.client);
      return result.answered.status === 200 ? undefined : `HTTP ${result.answered.status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  const running = hosts.flatMap((host) => Array.from({ length: callers }, () => keepCalling(host)));
  return {
    get calls() {
      return calls;
    },
    get failed() {
      return failed;
    },
    get firstFailure() {
      return firstFailure;
    },
    clientAt: (host) => clients.get(host),
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}
