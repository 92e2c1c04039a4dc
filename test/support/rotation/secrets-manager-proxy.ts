// A proxy to the local Secrets Manager that throttles, returns stale responses, or waits.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface SecretsManagerProxy {
  readonly url: string;
  /** `DescribeSecret`, …; in their order. */
  readonly calls: string[];
  /** So many requests are answered with this error, before any arrives. */
  throttle: { name: string; times: number };
  /** After each write, so many reads see what was there before it. */
  staleReads: number;
  /** How many did. */
  staleAnswers: number;
  /** Awaited before a call is passed on. */
  gate: ((call: string) => Promise<void>) | undefined;
}

/**
 * What a read was answered with before the last write is answered again: Secrets Manager's reads lag behind in the same
 * way, independently.
 */
export async function startSecretsManagerProxy(upstream: string): Promise<SecretsManagerProxy> {
  const store: SecretsManagerProxy & { url: string } = {
    url: '',
    calls: [],
    throttle: { name: '', times: 0 },
    staleReads: 0,
    staleAnswers: 0,
    gate: undefined,
  };
  let staleLeft = 0;
  const known = new Map<string, Answer>();

  const server = createServer(async (request, response) => {
    const body = await text(request);
    const target = String(request.headers['x-amz-target']);
    const call = target.split('.')[1] ?? '';
    store.calls.push(call);
    const reply = ({ status, body: answered }: Answer) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(answered);
    if (store.throttle.times > 0) {
      store.throttle.times -= 1;
      // The status: AWS Secrets Manager API reference, Common Errors.
      const status = store.throttle.name === 'InternalServiceError' ? 500 : 400;
      return reply({ status, body: JSON.stringify({ __type: store.throttle.name, message: 'Rate exceeded' }) });
    }
    await store.gate?.(call);
    const headers = Object.entries(request.headers).filter(([name]) =>
      /^(x-amz-.*|authorization|content-type)$/.test(name),
    );
    const forward = async (): Promise<Answer> => {
      const answer = await fetch(upstream, {
        method: 'POST',
        headers: Object.fromEntries(headers) as Record<string, string>,
        body,
      });
      return { status: answer.status, body: await answer.text() };
    };
    const isRead = call === 'DescribeSecret' || call === 'GetSecretValue';
    const key = `${call} ${body}`;
    if (isRead) {
      const old = known.get(key);
      if (staleLeft > 0 && old) {
        staleLeft -= 1;
        store.staleAnswers += 1;
        return reply(old);
      }
      const answer = await forward();
      known.set(key, answer);
      return reply(answer);
    }
    const answer = await forward();
    staleLeft = store.staleReads;
    return reply(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  store.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return store;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}
