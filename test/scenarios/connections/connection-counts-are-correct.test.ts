// Whatever a server does and in whatever order, each connection that was counted as open is counted as closed, once.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { errorTable } from '../../../core/errors.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();

/** What happens to a request, by its path. */
const answers: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>> = {
  whole: (response) => response.end('whole'),
  closing: (response) => response.setHeader('connection', 'close').end('closing'),
  impatient: (response) => response.setHeader('keep-alive', 'timeout=1').end('impatient'),
  half: (response) => {
    response.setHeader('content-length', 100);
    response.write('half');
    setImmediate(() => response.destroy());
  },
  none: (_response, request) => request.socket.destroy(),
  garbage: (_response, request) => request.socket.end('no answer\r\n\r\n'),
  silent: () => {},
  unasked: (response, request) => {
    response.end('whole');
    setImmediate(() => request.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
  },
  late: (response, request) => {
    response.end('whole', () => request.socket.end());
  },
};

/** At once, before it begins to shut down: libuv refuses to reset then, and Node forgets to close. */
function reset(socket: Socket): void {
  socket.resetAndDestroy().destroy();
}

/** What happens to a connection, before or in its handshake. */
const greetings: Readonly<Record<string, (socket: Socket) => void>> = {
  none: () => {},
  end: (socket) => socket.destroy(),
  reset,
  'reset at the first byte': (socket) => socket.once('data', () => reset(socket)),
  silence: (socket) => socket.pause(),
};

const call = fc.record({
  kind: fc.constant('call' as const),
  path: fc.constantFrom(...Object.keys(answers)),
  host: fc.constantFrom('a', 'b', 'c'),
  method: fc.constantFrom('GET', 'POST'),
  timeoutMs: fc.constantFrom(1, 5, 20, 60),
  bytes: fc.constantFrom(0, 10, 300_000),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.array(call, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom('close' as const, 'rotate' as const, 'wait' as const) },
  { weight: 1, arbitrary: fc.record({ greeting: fc.constantFrom(...Object.keys(greetings)) }) },
);

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'random calls, closures and rotations leave correct connection counts over %s',
  { timeout: 60_000 },
  async (maxVersion) => {
    let greeting = 'none';
    const api = await startApi(authorities, {
      maxVersion,
      greet: (socket) => greetings[greeting]?.(socket),
      answer: (request, response) => answers[request.url?.slice(1) ?? '']?.(response, request),
    });
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      greeting = 'none';
      const platform = openPlatform(authorities, {
        poolLimits: { maxConnections: 3, maxAgents: 100, maxIdleMs: 1_000, sweepEveryMs: 10 },
      });
      const { pool } = platform.stage;
      const destinations = [destinationAt(api, authorities, { host: '*.acme.example' })];
      platform.publish('v0', { destinations });
      let versions = 0;
      const sampler = setInterval(() => expect(pool.openConnections).toBeGreaterThanOrEqual(0), 1);
      try {
        for (const now of steps) {
          if (now === 'close') await api.closeConnections();
          else if (now === 'wait') platform.clock.aheadMs += 1_500;
          else if (now === 'rotate') {
            platform.publish(`v${++versions}`, { destinations });
            platform.clock.aheadMs += 5_001;
            await platform.stage.identities.reload('platform');
          } else if (!Array.isArray(now)) greeting = now.greeting;
          else {
            const replies = now.map(({ path, host, method, timeoutMs, bytes }) =>
              platform.call({
                url: `https://${host}.acme.example:${api.port}/${path}`,
                method,
                timeoutMs,
                body: 'x'.repeat(bytes),
              }),
            );
            for (const { statusCode, body } of await Promise.all(replies)) {
              if (statusCode === 200) expect(body.status).toBe(200);
              else expect(Object.keys(errorTable)).toContain(body.code);
              expect(body.code).not.toBe('internal-error');
            }
          }
          expect(pool.openConnections).toBeGreaterThanOrEqual(0);
        }
        platform.stage.close();
        await expect.poll(() => pool.openConnections, { timeout: 5000, interval: 1 }).toBe(0);
        expect(pool.agents).toBe(0);
        // What the server keeps open is what it never read the end of.
        if (greeting !== 'silence') await expect.poll(() => clientSockets(api), { timeout: 5000, interval: 1 }).toBe(0);
      } finally {
        clearInterval(sampler);
        await api.closeConnections();
      }
      expect(pool.openConnections).toBe(0);
    });
    await fc.assert(property, { numRuns: 40, endOnFailure: true });
  },
);

/** Both ends are in this process: beyond the server's own, none may be left. */
function clientSockets(api: { readonly openSockets: number }): number {
  const all = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  return all - api.openSockets;
}
