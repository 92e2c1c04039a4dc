// Proxies to everything that a step calls. They count the calls, and kill the calling process at a given one.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Server as TcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** `before`: the call never arrives. `after`: it was answered, and the answer never arrives. */
export type Moment = 'before' | 'after';

export interface KillingProxy {
  /** Since the last time it was armed or disarmed, in their order. */
  readonly calls: string[];
  arm(call: number, moment: Moment, victim: ChildProcess): void;
  disarm(): void;
  /** The URL of a way to `upstream`; `onAnswer` is called with each answer before it is passed on. */
  before(upstream: string, name: string, onAnswer?: (call: string) => Promise<void>): Promise<string>;
  /** The port of a way to a TLS server: a connection is a call, its first byte back is the answer. */
  beforePort(port: number): Promise<number>;
}

export function createKillingProxy(): KillingProxy {
  let armed: { call: number; moment: Moment; victim: ChildProcess } | undefined;
  const wire: KillingProxy = {
    calls: [],
    arm(call, moment, victim) {
      wire.calls.length = 0;
      armed = { call, moment, victim };
    },
    disarm() {
      wire.calls.length = 0;
      armed = undefined;
    },
    async before(upstream, name, onAnswer) {
      const { origin, pathname } = new URL(upstream);
      const server = createHttpServer(async (request, response) => {
        const body = await text(request);
        const call = `${name} ${String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? ''}`.trim();
        const count = wire.calls.push(call);
        if (await trips(count, 'before')) return request.socket.destroy();
        const answer = await fetch(origin + request.url, { method: 'POST', headers: forwarded(request), body });
        const answered = await answer.text();
        await onAnswer?.(call);
        if (await trips(count, 'after')) return request.socket.destroy();
        const type = { 'content-type': answer.headers.get('content-type') ?? 'text/plain' };
        return response.writeHead(answer.status, type).end(answered);
      });
      return `http://127.0.0.1:${await listening(server)}${pathname === '/' ? '' : pathname}`;
    },
    async beforePort(port) {
      const server = createServer(async (socket) => {
        socket.on('error', () => {}).pause();
        const count = wire.calls.push('destination');
        if (await trips(count, 'before')) return socket.destroy();
        const upstream = connect(port, '127.0.0.1');
        upstream.on('error', () => socket.destroy());
        socket.on('close', () => upstream.destroy());
        socket.pipe(upstream);
        const first = await Promise.race([once(upstream, 'data'), once(upstream, 'close').then(() => undefined)]);
        if (await trips(count, 'after')) return socket.destroy();
        if (first) socket.write(first[0]);
        return upstream.pipe(socket);
      });
      return listening(server);
    },
  };

  async function trips(count: number, moment: Moment): Promise<boolean> {
    if (armed?.call !== count || armed.moment !== moment) return false;
    const gone = once(armed.victim, 'exit');
    armed.victim.kill('SIGKILL');
    await gone;
    return true;
  }
  return wire;
}

function forwarded({ headers }: IncomingMessage): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) =>
    /^(x-amz-.*|authorization|content-type|idempotency-key)$/.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

async function listening(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
