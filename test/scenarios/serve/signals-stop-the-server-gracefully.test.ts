// SIGTERM and SIGINT: no new connections; calls in flight are answered up to a deadline; a second signal ends the
// process.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newServerCertificate, surroundings } from '../../support/serve/installation.ts';
import {
  canListWorkers,
  invoke,
  isRunning,
  type Serving,
  startServing,
  workersOf,
} from '../../support/serve/serving.ts';

/** Opens a raw connection. */
async function dial({ url }: Serving, bytes: string | Buffer = ''): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

describe.each(['1', '2'])('with --workers %s', (workers) => {
  async function withCallInFlight(shutdownSeconds: string) {
    const { identities, api, target } = await surroundings();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const serving = await startServing({ identities, workers, shutdownSeconds });
    const call = invoke(serving.url, target);
    call.catch(() => {});
    return { serving, target, call, answer: await arrived.promise };
  }

  it.each(['SIGTERM', 'SIGINT'] as const)('%s lets calls in flight finish', async (signal) => {
    const { serving, target, call, answer } = await withCallInFlight('30');
    serving.child.kill(signal);
    await serving.line(({ message }) => message === 'stopping');
    await expect.poll(() => invoke(serving.url, target).catch(({ code }) => code)).toBe('ECONNREFUSED');
    answer();
    expect((await call).body.body).toBe('late');
    expect((await call).headers.connection).toBe('close');
    expect(await serving.ended).toBe(0);
    expect(serving.lines().at(-1)).toMatchObject({ level: 'INFO', message: 'stopped', cutOff: 0 });
    expect(serving.errors()).toBe('');
  });

  it('calls longer than the deadline are cut off, and counted in the log', async () => {
    const { serving, call } = await withCallInFlight('1');
    serving.child.kill('SIGTERM');
    await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await serving.ended).toBe(0);
    expect(serving.lines().at(-1)).toMatchObject({ level: 'WARN', message: 'stopped', cutOff: 1 });
  });

  it.skipIf(!canListWorkers)('a second signal ends the process at once (needs /proc)', async () => {
    const { serving, call } = await withCallInFlight('30');
    const children = workersOf(serving);
    serving.child.kill('SIGTERM');
    await serving.line(({ message }) => message === 'stopping');
    serving.child.kill('SIGTERM');
    await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await serving.ended).toBe(143);
    await expect.poll(() => children.filter(isRunning)).toEqual([]);
  });

  it('does not wait for silent connections, half a request or an unfinished handshake', async () => {
    const { identities, folder } = await surroundings();
    const server = newServerCertificate();
    const silent = { identities, workers, shutdownSeconds: '600', headerSeconds: '600', requestSeconds: '600' };
    const plain = await startServing(silent);
    const tls = await startServing({
      ...silent,
      tlsCert: folder.write('tls.crt', server.certificate),
      tlsKey: folder.write('tls.key', server.privateKey),
    });
    // The first bytes of a ClientHello, and of a request.
    const hello = Buffer.from('160301', 'hex');
    await Promise.all([dial(tls, hello), dial(tls), dial(plain), dial(plain, 'GET /v1/health HTTP/1.1\r\nhost:')]);
    for (const { child, ended, lines } of [plain, tls]) {
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      expect(lines().at(-1)).toMatchObject({ level: 'INFO', message: 'stopped', cutOff: 0 });
    }
  });

  it('answers all pipelined calls of a connection', async () => {
    const { identities, api, target } = await surroundings();
    const releases: (() => void)[] = [];
    const bothArrived = Promise.withResolvers<void>();
    api.answerWith((_, response) => {
      releases.push(() => response.end('late'));
      if (releases.length === 2) bothArrived.resolve();
    });
    const serving = await startServing({ identities, workers });
    const body = JSON.stringify({ url: target });
    const head = `POST /v1/identities/platform/invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const socket = await dial(serving, head + body + head + body);
    const answers = text(socket);
    await bothArrived.promise;
    serving.child.kill('SIGTERM');
    await serving.line(({ message }) => message === 'stopping');
    await expect.poll(() => invoke(serving.url, target).catch(({ code }) => code)).toBe('ECONNREFUSED');
    for (const release of releases) release();
    const received = await answers;
    expect(received.match(/HTTP\/1\.1 200 /g)?.length).toBe(2);
    expect(received.match(/connection: close/gi)?.length).toBe(1);
    expect(await serving.ended).toBe(0);
  });

  it('a port in use is reported in one sentence, and nothing is left running', async () => {
    const { serving } = await withCallInFlight('0');
    const { port } = new URL(serving.url);
    const { identities } = await surroundings();
    await expect(startServing({ identities, workers, port })).rejects.toThrow(
      `It ended with 1: Port ${port}, which countersign serve needs, is in use: stop the program that uses it, or choose another with --port.`,
    );
  });
});
