// A TLS 1.3 server that finishes the handshake, reads the request, and only then rejects the certificate with an alert.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newServer } from '../../support/connections/customer-api.ts';
import { applicationLabel, createSealer } from '../../support/handshake-capture/seal.ts';
import { authorities, clientRoots, newcomers, rotated, url } from '../../support/invocation/not-yet-trusted.ts';

/** RFC 8446, section 6: unknown_ca, access_denied, certificate_revoked. */
const alerts = [48, 49, 44];

/** As many as Node's servers send, a record each. */
const tickets = 2;

/** Requests, by the first line; each is processed before the alert is sent. */
async function readingApi(alert: number) {
  const processed: string[] = [];
  const { certificate, intermediates, privateKey } = newServer(authorities);
  const secrets: Buffer[] = [];
  const tls = createTlsServer({
    cert: certificate + intermediates,
    key: privateKey,
    requestCert: true,
    ca: newcomers.platformRoot.certificate + clientRoots,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
    ALPNProtocols: ['http/1.1'],
  });
  tls.on('keylog', (line) => {
    const [label, , secret = ''] = line.toString('latin1').trim().split(' ');
    if (label === applicationLabel) secrets.push(Buffer.from(secret, 'hex'));
  });
  const raw = new Set<Socket>();
  tls.on('secureConnection', (socket) => {
    const below = [...raw].at(-1);
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      processed.push(bytes.toString('latin1').split('\r\n')[0] ?? '');
      const seal = createSealer('TLS_AES_128_GCM_SHA256', secrets.at(-1) as Buffer);
      for (let sent = 0; sent < tickets; sent++) seal(23, Buffer.alloc(0));
      // The tickets go out at the end of this turn.
      setImmediate(() => below?.end(seal(21, Buffer.of(2, alert))));
    });
  });
  const server = createServer((socket) => {
    raw.add(socket);
    socket.on('error', () => {});
    const between = new Duplex({
      read() {},
      write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
    });
    socket.on('data', (chunk) => between.push(chunk));
    socket.on('close', () => between.destroy());
    tls.emit('connection', between);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of raw) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, processed };
}

describe('a certificate rejected after the request was read', () => {
  it.each(alerts)('by the alert %i: a POST is sent once, with AWSCURRENT', async (alert) => {
    const api = await readingApi(alert);
    const { platform, othersRead } = rotated(api);
    const { body } = await platform.call({ url: url(api, '/payments'), method: 'POST', body: 'paid once' });
    expect(body).toMatchObject({ code: 'client-certificate-rejected', evidence: { certainty: 'observed' } });
    expect(api.processed).toEqual(['POST /payments HTTP/1.1']);
    expect(platform.attempts()).toEqual([1]);
    expect(othersRead()).toEqual([]);
  });

  it('a GET is sent again, because it is safe to repeat', async () => {
    const api = await readingApi(48);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    expect(api.processed).toHaveLength(2);
  });
});
