// Silence, in each phase of the handshake and of the answer: the code says which, and the call ends.
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { serveBetween, serveHttps, serveTcp } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const request = { timeoutMs: 200 };

describe('the handshake', () => {
  it('times out if the server sends nothing', async () => {
    const server = await serveTcp(() => {});
    const problem = await trial.fails('handshake-timeout', server.port, { request });
    expect(problem.evidence).toEqual({ timeoutMs: 200, phase: 'handshake' });
    expect(server.connections).toBe(1);
  });

  it('times out if only the beginning of a record arrives', async () => {
    const server = await serveTcp((socket) => socket.write(Buffer.from([22, 3, 3])));
    await trial.fails('handshake-timeout', server.port, { request });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'times out in the middle of the handshake messages of a %s server',
    async (version) => {
      const api = await serveHttps(trial.server, () => {}, { maxVersion: version });
      const server = await serveBetween(api.port, (bytes, { passed }) => bytes.subarray(0, 150 - passed));
      await trial.fails('handshake-timeout', server.port, { request });
    },
  );

  it('times out in TLS 1.2 if the last handshake messages of the server do not arrive', async () => {
    const api = await serveHttps(trial.server, () => {}, { maxVersion: 'TLSv1.2' });
    const server = await serveBetween(api.port, (bytes, { clientTurns }) =>
      clientTurns < 2 ? bytes : bytes.subarray(0, 0),
    );
    const problem = await trial.fails('handshake-timeout', server.port, { request, step: 5 });
    expect(problem.evidence).toEqual({ timeoutMs: 200, phase: 'verify' });
    expect(problem.hint).toMatch(/^The customer .* OCSP/);
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('the response, over %s', (maxVersion) => {
  it('times out before its first byte', async () => {
    const server = await serveHttps(trial.server, () => {}, { maxVersion });
    const problem = await trial.fails('response-timeout', server.port, { request });
    expect(problem.evidence).toEqual({ timeoutMs: 200, phase: 'request' });
    expect(server.received()).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
  });

  it.each([
    ['in the status line', 'HTTP/1.1 20', 'request'],
    ['in the head', 'HTTP/1.1 200 OK\r\ncontent-le', 'request'],
    ['behind an interim answer', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n', 'request'],
    ['in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345', 'response'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123', 'response'],
    ['in a body without an end', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n12345', 'response'],
  ])('times out %s', async (_where, bytes, phase) => {
    const server = await serveHttps(trial.server, (socket) => socket.write(bytes), { maxVersion });
    const problem = await trial.fails('response-timeout', server.port, { request });
    expect(problem.evidence).toEqual({ timeoutMs: 200, phase });
  });

  it('times out while the request is still being sent to a server that does not read', async () => {
    let resume = () => {};
    const deaf = (socket: TLSSocket) => {
      socket.pause();
      resume = () => socket.resume();
    };
    const server = await serveHttps(trial.server, deaf, { maxVersion });
    const body = 'x'.repeat(4_000_000);
    await trial.fails('response-timeout', server.port, { request: { ...request, method: 'POST', body } });
    // It reads on, so that it sees the connection end.
    resume();
  });

  it('times out if it arrives byte by byte', async () => {
    const drips: NodeJS.Timeout[] = [];
    const server = await serveHttps(
      trial.server,
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n');
        const drip = setInterval(() => socket.write('.'), 20);
        drips.push(drip);
        socket.on('close', () => clearInterval(drip));
      },
      { maxVersion },
    );
    await trial.fails('response-timeout', server.port, { request });
  });
});
