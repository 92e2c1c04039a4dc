// A server that refuses as mbedTLS 3.6 does over TLS 1.3: its alert comes under the key of the handshake, after its own
// Finished. Node's server verifies; a relay in front of it puts the sealed alert in place of what follows.
import { connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { freePort } from '../port.ts';
import { type Served, serveTcp } from '../servers.ts';
import { createSealer, handshakeLabel } from './seal.ts';

const suite = 'TLS_AES_256_GCM_SHA384';

/** Answers clients of `clientRoots` with an empty 200; refuses others with the fatal alert of that number. */
export async function serveHandshakeKeyAlert(
  certificate: IssuedCertificate,
  clientRoots: string,
  alertNumber: number,
): Promise<Served> {
  const secrets = new Map<number, Buffer>();
  const decide = new Map<number, (isTrusted: boolean) => void>();
  const server = createServer({
    cert: certificate.certificate + certificate.intermediates,
    key: certificate.privateKey,
    requestCert: true,
    rejectUnauthorized: false,
    ca: clientRoots,
    minVersion: 'TLSv1.3',
    ciphers: suite,
  });
  server.on('keylog', (line: Buffer, { remotePort = 0 }: Socket) => {
    const [label, , secret = ''] = line.toString().trim().split(' ');
    if (label === handshakeLabel) secrets.set(remotePort, Buffer.from(secret, 'hex'));
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    decide.get(socket.remotePort ?? 0)?.(socket.authorized);
  });
  server.on('tlsClientError', () => {});
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());

  return serveTcp((client) => {
    const upstream = connect(port, '127.0.0.1');
    const flight: Buffer[] = [];
    const held: Buffer[] = [];
    let clientTurns = 0;
    let isTrusted = false;
    upstream.on('error', () => client.destroy());
    upstream.on('connect', () => {
      const { localPort = 0 } = upstream;
      decide.set(localPort, (decision) => {
        isTrusted = decision;
        if (isTrusted) return void client.write(Buffer.concat(held));
        client.end(alertAfter(Buffer.concat(flight), secrets.get(localPort) ?? Buffer.alloc(48), alertNumber));
        upstream.destroy();
      });
    });
    client.on('data', (bytes: Buffer) => {
      clientTurns++;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (clientTurns < 2) flight.push(bytes);
      if (clientTurns < 2 || isTrusted) client.write(bytes);
      else held.push(bytes);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => isTrusted && client.end());
  });
}

/** The record number goes on from the sealed records of the server's flight. */
function alertAfter(flight: Buffer, secret: Buffer, alertNumber: number): Buffer {
  const seal = createSealer(suite, secret);
  for (let at = 0; at < flight.length; at += 5 + flight.readUInt16BE(at + 3)) {
    if (flight[at] === 23) seal(22, Buffer.alloc(1));
  }
  return seal(21, Buffer.of(2, alertNumber));
}
