// Stands between the platform and an API and reads what goes over the wire in the clear: each connection's ClientHello.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

interface ClientHello {
  readonly serverName: string | undefined;
  /** What the client offers to resume, as hex: a TLS 1.3 PSK identity or a TLS 1.2 ticket. */
  readonly ticket: string | undefined;
}

export interface Tap {
  readonly port: number;
  readonly hellos: readonly ClientHello[];
}

export async function tap(port: number): Promise<Tap> {
  const hellos: ClientHello[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const api = connect(port, '127.0.0.1');
    client.once('data', (chunk) => hellos.push(readClientHello(chunk)));
    client.pipe(api).pipe(client);
    for (const [one, other] of [
      [client, api],
      [api, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, hellos };
}

/**
 * RFC 8446, section 4.1.2, behind a record header of 5 bytes and a handshake header of 4; it comes in one piece here.
 */
function readClientHello(record: Buffer): ClientHello {
  let at = 5 + 4 + 2 + 32;
  at += 1 + record.readUInt8(at);
  at += 2 + record.readUInt16BE(at);
  at += 1 + record.readUInt8(at);
  const end = at + 2 + record.readUInt16BE(at);
  const extensions = new Map<number, Buffer>();
  for (at += 2; at < end; ) {
    const length = record.readUInt16BE(at + 2);
    extensions.set(record.readUInt16BE(at), record.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  // server_name (0): list, type, name (RFC 6066, section 3); pre_shared_key (41): identities, identity (section
  // 4.2.11).
  const name = extensions.get(0)?.subarray(5).toString();
  const psk = extensions.get(41);
  const ticket = psk ? psk.subarray(4, 4 + psk.readUInt16BE(2)) : extensions.get(35);
  return { serverName: name || undefined, ticket: ticket?.length ? ticket.toString('hex') : undefined };
}
