// Step 2: a port that speaks something else, or nothing that can be understood, or nothing at all.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serveBetween, serveHttps, serveTcp } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();

describe('a server that does not speak TLS is reported at step 2', () => {
  it('a real HTTP server', async () => {
    const server = createServer((_request, response) => response.end('plain'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const problem = await trial.fails('server-not-tls', (server.address() as AddressInfo).port);
    expect(problem.detail).toContain('did not answer with TLS');
  });

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nThe plain HTTP request was sent to HTTPS port'],
    ['SMTP', '220 mail.acme.example ESMTP\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['IMAP', '* OK IMAP4rev1 ready\r\n'],
    ['FTP', '220 (vsFTPd 3.0.3)\r\n'],
    ['MySQL', '\x4a\x00\x00\x00\x0a8.0.36\x00\x0b\x00\x00\x00'],
    ['HTTP/2 in the clear', '\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\x00\x04\x00\x10\x00\x00'],
    ['a page without a head', '<!doctype html><title>It works</title>'],
    ['zeros', '\0'.repeat(64)],
  ])('a server that sends %s', async (_name, banner) => {
    const server = await serveTcp((socket) => socket.end(banner, 'latin1'));
    await trial.fails('server-not-tls', server.port);
  });

  it('random bytes', async () => {
    for (let round = 0; round < 10; round++) {
      const noise = randomBytes(300);
      // 20 to 24 begin a TLS record: those are the next test's.
      noise[0] = (noise[0] as number) | 0x40;
      // 3 is the first half of TLS's version, and OpenSSL looks further then.
      noise[1] = (noise[1] as number) | 0x04;
      const server = await serveTcp((socket) => socket.end(noise));
      await trial.fails('server-not-tls', server.port);
    }
  });
});

describe('bytes that only look like TLS', () => {
  const record = (type: number, content: Buffer, length = content.length) =>
    Buffer.concat([Buffer.from([type, 3, 3, length >> 8, length & 255]), content]);

  it.each([
    ['a handshake record of noise', record(22, randomBytes(200))],
    ['a ServerHello of noise', record(22, Buffer.concat([Buffer.from([2, 0, 0, 100]), randomBytes(100)]))],
    ['a record longer than TLS allows', record(22, randomBytes(100), 0xffff)],
    ['an empty record', record(22, Buffer.alloc(0))],
    ['application data', record(23, randomBytes(60))],
    ['a change of ciphers before anything else', record(20, Buffer.from([1]))],
    ['an alert with an unknown level and number', record(21, Buffer.from([9, 250]))],
    ['a ClientHello, its own thrown back', record(22, Buffer.concat([Buffer.from([1, 0, 0, 60]), randomBytes(60)]))],
    ['a record cut short', record(22, randomBytes(10), 200)],
  ])('end the negotiation: %s', async (_name, bytes) => {
    const server = await serveTcp((socket) => socket.end(bytes));
    await trial.fails('tls-negotiation-failed', server.port);
  });

  it('end the negotiation if they are the echoed ClientHello', async () => {
    const server = await serveTcp((socket) => socket.pipe(socket));
    await trial.fails('tls-negotiation-failed', server.port);
  });
});

describe('a server that disconnects', () => {
  it.each([
    ['without a byte', ''],
    // OpenSSL judges by the five bytes of a record's head: fewer tell nothing.
    ['after one byte, as PostgreSQL says no to TLS', 'N'],
    ['after four bytes', '\x16\x03\x03\x01'],
  ])('closes during the handshake, %s', async (_when, bytes) => {
    const server = await serveTcp((socket) => socket.once('data', () => socket.end(bytes, 'latin1')));
    const problem = await trial.fails('tls-negotiation-failed', server.port);
    expect(problem.detail).toContain('closed the connection during the handshake');
  });

  it('resets during the handshake', async () => {
    const server = await serveTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await trial.fails('tls-negotiation-failed', server.port);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'closes or resets in the middle of its %s handshake messages',
    async (version) => {
      const api = await serveHttps(trial.server, () => {}, { maxVersion: version });
      const cut = await serveBetween(api.port, (bytes, { passed }) => bytes.subarray(0, 200 - passed), 'close');
      await trial.fails('tls-negotiation-failed', cut.port);
      const reset = await serveBetween(api.port, (bytes, { passed }) => bytes.subarray(0, 200 - passed), 'reset');
      await trial.fails('tls-negotiation-failed', reset.port);
    },
  );
});
