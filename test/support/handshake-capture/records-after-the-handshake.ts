// A server of TLS 1.3 that completes the handshake with every client certificate. It then sends records of the test's
// choice in place of a response, except to clients that it trusts. Node's server does the handshake; a relay in front
// of it adds the records.
import type { X509Certificate } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { freePort } from '../port.ts';
import { type Served, serveTcp } from '../servers.ts';
import { applicationLabel, createSealer } from './seal.ts';

const suite = 'TLS_AES_256_GCM_SHA384';

export interface RecordsAfterTheHandshake {
  /** Node's server sends two session tickets; false drops them. */
  readonly tickets: boolean;
  /** By the certificate of the client; none by default. */
  readonly trusts?: (client: X509Certificate) => boolean;
  /** Seals the records under the application key of the server. */
  readonly records: (seal: ReturnType<typeof createSealer>) => Buffer;
}

export async function serveRecordsAfterTheHandshake(
  certificate: IssuedCertificate,
  { tickets, trusts, records }: RecordsAfterTheHandshake,
): Promise<Served> {
  const secrets = new Map<number, Buffer>();
  const trustedPorts = new Set<number>();
  const server = createServer({
    cert: certificate.certificate + certificate.intermediates,
    key: certificate.privateKey,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ciphers: suite,
  });
  server.on('keylog', (line: Buffer, { remotePort = 0 }: Socket) => {
    const [label, , secret = ''] = line.toString().trim().split(' ');
    if (label === applicationLabel) secrets.set(remotePort, Buffer.from(secret, 'hex'));
  });
  server.on('secureConnection', (socket) => {
    const client = socket.getPeerX509Certificate();
    if (client && trusts?.(client)) trustedPorts.add(socket.remotePort ?? 0);
    socket.on('error', () => {}).resume();
  });
  server.on('tlsClientError', () => {});
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());

  return serveTcp((client) => {
    const upstream = connect(port, '127.0.0.1');
    let clientTurns = 0;
    let isAdded = false;
    upstream.on('error', () => client.destroy());
    client.on('data', (bytes: Buffer) => {
      clientTurns++;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (clientTurns < 2) return void client.write(bytes);
      if (trustedPorts.has(upstream.localPort ?? 0)) return void client.write(bytes);
      if (isAdded) return;
      isAdded = true;
      const seal = createSealer(suite, secrets.get(upstream.localPort ?? 0) ?? Buffer.alloc(48));
      if (!tickets) return void client.write(records(seal));
      // The record number goes on from the tickets.
      for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) seal(22, Buffer.alloc(1));
      client.write(Buffer.concat([bytes, records(seal)]));
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
  });
}
