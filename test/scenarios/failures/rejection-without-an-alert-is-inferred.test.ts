// Step 5: servers that close or reset once they have the certificate say nothing; that they rejected it is inferred.
import { describe, expect, it } from 'vitest';
import { serveHandshakeKeyAlert } from '../../support/handshake-capture/handshake-key-alert.ts';
import { type Served, serveBetween, serveHttps, serveTls } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

async function inferred(server: Served, request = {}, more = {}) {
  const problem = await trial.fails('client-certificate-rejected', server.port, { request });
  expect(problem.evidence).toMatchObject({ certainty: 'inferred', ...more });
  return problem;
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  it('a Node server that does not trust the certificate closes without an alert', async () => {
    const strict = { maxVersion, rejectUnauthorized: true, ca: trial.customerRoot.certificate };
    const server = await serveHttps(trial.server, (socket) => socket.write(ok), strict);
    const problem = await inferred(server);
    expect(problem.hint).toMatch(/log of its API/);
    expect(server.received()).toBe('');
  });

  it('a Node server that trusts it answers', async () => {
    const strict = { maxVersion, rejectUnauthorized: true, ca: trial.platformRoot.certificate };
    const server = await serveHttps(trial.server, (socket) => socket.write(ok), strict);
    const reply = await trial.call(server.port);
    expect(reply.body).toMatchObject({ status: 200, handshake: { protocol: maxVersion } });
  });

  it.each(['close', 'reset'] as const)('a %s right after the client certificate is a rejection', async (how) => {
    const api = await serveHttps(trial.server, () => {}, { maxVersion });
    const pass = (bytes: Buffer, { clientTurns }: { clientTurns: number }) =>
      clientTurns < 2 ? bytes : bytes.subarray(0, 0);
    await inferred(await serveBetween(api.port, pass, how));
  });

  it('a close after the complete handshake and the request is a rejection', async () => {
    const server = await serveHttps(trial.server, (socket) => socket.end(), { maxVersion });
    const problem = await inferred(server, {}, { handshake: 'complete' });
    expect(problem.hint).toMatch(/ALPN protocol .* rule for client addresses/);
  });

  it.each([200_000, 4_000_000])('a close while %d bytes are being sent is a rejection', async (size) => {
    const server = await serveTls(trial.server, (socket) => socket.destroy(), { maxVersion });
    await inferred(server, { method: 'POST', body: 'x'.repeat(size) });
  });

  it('a close by a server that did not request the certificate is not a rejection', async () => {
    const server = await serveHttps(trial.server, (socket) => socket.end(), { maxVersion, requestCert: false });
    const problem = await trial.fails('response-incomplete', server.port);
    expect(problem.detail).toBe('The API closed a new connection without a byte of a response.');
  });

  it.each([
    ['in the status line', 'HTTP/1.1 2'],
    ['in the head', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-'],
    ['behind an interim answer', 'HTTP/1.1 102 Processing\r\n\r\n'],
  ])('a close after the start of the response is not a rejection: it ends %s', async (_where, bytes) => {
    const server = await serveHttps(trial.server, (socket) => socket.end(bytes), { maxVersion });
    const problem = await trial.fails('response-incomplete', server.port);
    expect(problem.detail).toBe('The connection ended in the head of the response.');
  });

  it('a close on a connection with an earlier response is not a rejection', async () => {
    let answers = 0;
    const server = await serveHttps(trial.server, (socket) => (answers++ === 0 ? socket.write(ok) : socket.destroy()), {
      maxVersion,
    });
    expect((await trial.call(server.port)).body).toMatchObject({ status: 200 });
    const second = await trial.again({ method: 'POST', body: 'once' });
    expect(second.body).toMatchObject({ code: 'response-incomplete', evidence: { connection: 'reused' } });
    expect(server.connections).toBe(1);
  });
});

it('an alert under the handshake key, which OpenSSL reports as a bad record, is a rejection', async () => {
  const server = await serveHandshakeKeyAlert(trial.server, trial.customerRoot.certificate, 48);
  const problem = await inferred(server);
  expect(problem.hint).toMatch(/log of its API/);
  const trusting = await serveHandshakeKeyAlert(trial.server, trial.platformRoot.certificate, 48);
  expect((await trial.call(trusting.port)).body).toMatchObject({ status: 200 });
});
