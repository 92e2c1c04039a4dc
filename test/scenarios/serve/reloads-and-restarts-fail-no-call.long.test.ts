// 3,600 calls, as fast as possible, while files are replaced, the API restarts and a worker is killed.
import { Agent } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startReloadableNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { authorities, newIdentity } from '../../support/serve/installation.ts';
import { ask, canListWorkers, invoke, startServing, workersOf, writeIdentity } from '../../support/serve/serving.ts';

const callsOfAnHour = 3_600;
const callers = 16;

interface Failed {
  readonly caller: number;
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  readonly what: string;
}

describe.skipIf(!findPeer('nginx') || !canListWorkers)('an hour of calls (needs nginx and /proc)', () => {
  it('only calls in flight in the killed worker fail', { timeout: 120_000 }, async () => {
    const server = authorities.customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
    const trusted = { clientRoots: authorities.platformRoot.certificate, directives: 'ssl_verify_depth 3;' };
    const nginx = await startReloadableNginx(server, trusted);
    const identities = privateFolder().path;
    const destinations = [
      { host: 'localhost', port: nginx.port, network: 'loopback', serverRoots: authorities.customerRoot.certificate },
    ];
    const replace = () => writeIdentity(identities, 'platform', newIdentity(), destinations);
    replace();
    const serving = await startServing({ identities, workers: '2', identityTtlSeconds: '1' });

    let done = 0;
    let isOver = false;
    const failed: Failed[] = [];
    const versions = new Set<string>();
    const oneCaller = async (caller: number) => {
      // Every fourth caller opens a connection for each call.
      const agent = new Agent({ keepAlive: caller % 4 > 0, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      while (!isOver) {
        const begunAt = Date.now();
        try {
          const { status, body } = await invoke(serving.url, `https://localhost:${nginx.port}/`, { agent });
          if (status !== 200 || body.status !== 200)
            failed.push({ caller, begunAt, what: body.code ?? `HTTP ${body.status}` });
          else versions.add(body.handshake.client.version);
        } catch (error) {
          failed.push({ caller, begunAt, what: String((error as NodeJS.ErrnoException).code) });
        }
        done += 1;
      }
    };
    const calling = Array.from({ length: callers }, (_, caller) => oneCaller(caller));
    const until = (calls: number) =>
      expect.poll(() => done, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(calls);
    let killedAt = 0;
    for (let step = 1; step <= 12; step++) {
      await until((callsOfAnHour / 12) * step);
      replace();
      // A new nginx process takes over; the old one closes its connections and ends.
      if (step % 3 === 0) await nginx.trust(trusted.clientRoots);
      if (step === 7) {
        killedAt = Date.now();
        process.kill(workersOf(serving)[0] ?? 0, 'SIGKILL');
      }
    }
    // Until the last replaced file was used.
    await serving.line(({ message }) => message === 'worker died');
    await until(done + 500);
    isOver = true;
    await Promise.all(calling);

    expect(done).toBeGreaterThan(callsOfAnHour);
    expect(versions.size).toBeGreaterThan(1);
    for (const { what, begunAt } of failed) {
      expect(what).toMatch(/^(ECONNRESET|EPIPE)$/);
      expect(begunAt).toBeLessThanOrEqual(killedAt + 1_000);
    }
    // At most one failure for each caller: each has one connection with one call in flight.
    expect(new Set(failed.map(({ caller }) => caller)).size).toBe(failed.length);
    expect(failed.length).toBeLessThan(callers);
    expect((await ask(serving.url, '/v1/ready')).status).toBe(200);
    serving.child.kill('SIGTERM');
    expect(await serving.ended).toBe(0);
  });
});
