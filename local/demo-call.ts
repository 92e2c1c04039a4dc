// One call of the demo API through the gateway, over HTTP, as an orchestrator would make it.
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { platformIdentity, routes } from '../core/settings.ts';
import type { Timings } from '../core/telemetry/invocation-record.ts';
import type { RunningHost } from './demo-api/server.ts';

/** The members of an invocation's response that the demo reads; see docs/api.md. */
export interface Answered {
  readonly status: number;
  readonly body: string;
  readonly handshake: {
    readonly protocol: string;
    readonly cipher: string;
    readonly connection: string;
    readonly server: { readonly subject: string; readonly issuer: string; readonly validTo: string };
    readonly client: {
      readonly fingerprint256: string;
      readonly validTo: string;
      readonly version: string;
      readonly stage: string;
    };
  };
  readonly timings: Timings;
}

/** A problem document. */
export interface Failed {
  readonly code: string;
  readonly step?: number;
  readonly detail: string;
  readonly hint: string;
}

export type DemoCallResult = { readonly answered: Answered } | { readonly failed: Failed };

export function invocationPath(): string {
  return (routes.invocations.split(' ')[1] ?? '').replace('{identity}', platformIdentity);
}

/** The body of the invocation of a demo host. */
export function invocationOf({ host, port, behaviour, request: more }: RunningHost): object {
  const isHealthy =
    behaviour.kind === 'pinning' || (behaviour.kind === 'mutual-tls' && behaviour.certificate === 'sound');
  return { url: `https://${host}:${port}${isHealthy ? '/v1/accounts/1/balance' : '/'}`, ...more };
}

/** Throws if the gateway cannot be reached, or its response is not one of an invocation. */
export async function callThroughGateway(gatewayUrl: string, invocation: object): Promise<DemoCallResult> {
  const body = JSON.stringify(invocation);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const { promise, resolve, reject } = Promise.withResolvers<DemoCallResult>();
  const outgoing = request(`${gatewayUrl}${invocationPath()}`, { method: 'POST', headers, agent: false }, (reply) => {
    json(reply).then((answer) => {
      const isProblem = reply.headers['content-type']?.startsWith('application/problem+json');
      if (reply.statusCode === 200) resolve({ answered: answer as Answered });
      else if (isProblem) resolve({ failed: answer as Failed });
      else reject(new Error(`The gateway answered ${reply.statusCode}: ${JSON.stringify(answer)}`));
    }, reject);
  });
  outgoing.once('error', reject);
  outgoing.end(body);
  return promise;
}
