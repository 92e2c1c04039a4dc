// TLS over a tapped socket ends, fails, waits and carries data as TLS over the socket itself does; the secrets do not
// stay.
import { once } from 'node:events';
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer, type Socket } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CaptureReader, createCaptureReader } from '../../../../core/tls/handshake-capture/capture-reader.ts';
import { connectRecorded, tapSocket } from '../../../../core/tls/handshake-capture/recorded-socket.ts';
import { createRecordOpener, type Suite, suites } from '../../../../core/tls/handshake-capture/records.ts';
import { createAuthority } from '../../../../local/authority/authority.ts';
import { applicationLabel, createSealer, handshakeLabel, keyLogLine } from '../../../support/handshake-capture/seal.ts';

const authority = createAuthority({ commonName: 'Root' });
const identity = authority.issue({ commonName: 'localhost', names: ['localhost'] });
const stranger = createAuthority({ commonName: 'Stranger' }).issue({ commonName: 'x' });
const client = {
  ca: authority.certificate,
  servername: 'localhost',
  cert: identity.certificate,
  key: identity.privateKey,
};

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(handle: (socket: TLSSocket) => void, options: object = {}): Promise<number> {
  const server: Server = createServer(
    { cert: identity.certificate, key: identity.privateKey, ca: authority.certificate, requestCert: true, ...options },
    (socket) => {
      socket.on('error', () => undefined);
      handle(socket);
    },
  );
  server.on('tlsClientError', () => undefined);
  return await listen(server);
}

async function listen(server: ReturnType<typeof createSocketServer>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** The same connection both ways: over the socket itself, and tapped. */
const ways = {
  native: (port: number, options: object) => connect({ ...options, socket: connectSocket(port, '127.0.0.1') }),
  tapped: (port: number, options: object) =>
    connectRecorded(connectSocket(port, '127.0.0.1'), options, createCaptureReader()),
};

/** Everything that happens on a connection, in order, up to its close. */
async function eventsOf(socket: TLSSocket, onSecure: () => void): Promise<string[]> {
  const events: string[] = [];
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.on('secureConnect', () => {
    events.push('secureConnect');
    onSecure();
  });
  socket.on('end', () => events.push(`end after ${received} bytes`));
  socket.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${error.code}`));
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return events;
}

describe('a recorded socket emits the same events as a plain one', () => {
  const large = Buffer.alloc(300_000, 1);
  const cases: Readonly<Record<string, { serve: () => Promise<number>; options?: object; ask?: boolean }>> = {
    'the server answers and ends': {
      serve: () => serve((socket) => socket.once('data', () => socket.end(large))),
      ask: true,
    },
    'the server ends at once': { serve: () => serve((socket) => socket.end()) },
    'the client ends': { serve: () => serve((socket) => socket.resume()) },
    'the server destroys the connection': {
      serve: () => serve((socket) => socket.once('data', () => socket.destroy())),
      ask: true,
    },
    'a Node server rejects the certificate on TLS 1.3': {
      serve: () => serve(() => undefined, { rejectUnauthorized: true }),
      options: { cert: stranger.certificate, key: stranger.privateKey },
      ask: true,
    },
    'a Node server rejects the certificate on TLS 1.2': {
      serve: () => serve(() => undefined, { rejectUnauthorized: true, maxVersion: 'TLSv1.2' }),
      options: { cert: stranger.certificate, key: stranger.privateKey },
      ask: true,
    },
    'the server certificate is not trusted': {
      serve: () => serve(() => undefined),
      options: { ca: stranger.certificate },
    },
    'no protocol in common': {
      serve: () => serve(() => undefined, { maxVersion: 'TLSv1.2' }),
      options: { minVersion: 'TLSv1.3' },
    },
    'no TLS at all': {
      serve: () => listen(createSocketServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
    },
    'an end in the middle of the handshake': {
      serve: () => listen(createSocketServer((socket) => socket.end(Buffer.of(22, 3, 3)))),
    },
    'a reset in the middle of the handshake': {
      serve: () => listen(createSocketServer((socket) => socket.once('data', () => socket.resetAndDestroy()))),
    },
    'no listener': {
      async serve() {
        const server = createSocketServer();
        const port = await listen(server);
        server.close();
        await once(server, 'close');
        return port;
      },
    },
  };

  it.each(Object.entries(cases))('%s', async (_title, { serve: start, options, ask }) => {
    const port = await start();
    const seen: Record<string, string[]> = {};
    for (const [way, open] of Object.entries(ways)) {
      const socket = open(port, { ...client, ...options });
      seen[way] = await eventsOf(socket, () => (ask ? socket.write('GET') : socket.end()));
    }
    expect(seen.tapped).toEqual(seen.native);
    expect(seen.tapped?.length).toBeGreaterThan(0);
  });
});

describe('the stream', () => {
  it('carries megabytes both ways, unchanged', async () => {
    const sent = Buffer.alloc(5_000_000, 'countersign');
    const port = await serve(
      (socket) => {
        const chunks: Buffer[] = [];
        socket.on('data', (chunk: Buffer) => chunks.push(chunk));
        socket.on('end', () => socket.end(Buffer.concat(chunks)));
      },
      { allowHalfOpen: true },
    );
    // Half closed on purpose: this client ends first and reads the answer after.
    const tap = tapSocket(connectSocket(port, '127.0.0.1'), () => undefined);
    const socket = connect({ ...client, socket: tap });
    socket.end(sent);
    const received: Buffer[] = [];
    for await (const chunk of socket) received.push(chunk as Buffer);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  it('applies back-pressure to the server', async () => {
    const total = 40_000_000;
    const port = await listen(
      createSocketServer((socket) => socket.on('error', () => undefined).end(Buffer.alloc(total))),
    );
    const socket = connectSocket(port, '127.0.0.1');
    let shown = 0;
    const tap = tapSocket(socket, (bytes) => {
      shown += bytes.length;
    });
    tap.once('readable', () => undefined);
    await once(tap, 'readable');
    const before = shown;
    // Turns of the event loop in which a stream without brakes would go on taking.
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(before).toBeLessThan(total / 10);
    expect(shown).toBeLessThan(total / 10);
    let read = 0;
    for await (const chunk of tap) read += (chunk as Buffer).length;
    expect(read).toBe(total);
    expect(shown).toBe(total);
  });

  it('is destroyed with its socket, and its socket with it', async () => {
    const port = await listen(createSocketServer());
    const first = connectSocket(port, '127.0.0.1');
    const tap = tapSocket(first, () => undefined);
    await once(first, 'connect');
    tap.destroy();
    await once(first, 'close');
    const second = connectSocket(port, '127.0.0.1');
    const other = tapSocket(second, () => undefined);
    await once(second, 'connect');
    second.destroy();
    await once(other, 'close');
    expect([first.destroyed, other.destroyed]).toEqual([true, true]);
  });
});

describe('the handshake secrets', () => {
  it('each key log line is zeroed after the reader has read it, and the reader is closed with the connection', async () => {
    const port = await serve((socket) => socket.end());
    const inner = createCaptureReader();
    const given: Buffer[] = [];
    const reader: CaptureReader = {
      ...inner,
      secret(line) {
        expect(line.toString()).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,96}\n?$/);
        given.push(line);
        inner.secret(line);
      },
    };
    const socket = connectRecorded(connectSocket(port, '127.0.0.1'), client, reader);
    socket.resume();
    await once(socket, 'close');
    expect(given.length).toBeGreaterThanOrEqual(4);
    for (const line of given) expect(line.every((byte) => byte === 0)).toBe(true);
    expect(inner.capture).toMatchObject({ asked: true, finished: true, stopped: 'closed' });
  });

  it.each([
    ['closed', (reader: CaptureReader) => reader.close()],
    ['stopped', (reader: CaptureReader) => reader.push(Buffer.from('no TLS'))],
  ])('no secret is left in a reader that was %s', (_title, end) => {
    const made = vi.spyOn(Buffer, 'alloc');
    const reader = createCaptureReader();
    const secrets = [Buffer.alloc(32, 0x33), Buffer.alloc(32, 0x44)] as const;
    reader.secret(keyLogLine(handshakeLabel, secrets[0]));
    reader.secret(keyLogLine(applicationLabel, secrets[1]));
    const held = made.mock.results
      .map((result) => result.value as Buffer)
      .filter(
        (buffer) => !secrets.some((secret) => secret === buffer) && secrets.some((secret) => secret.equals(buffer)),
      );
    expect(held).toHaveLength(2);
    end(reader);
    for (const buffer of held) expect(buffer.every((byte) => byte === 0)).toBe(true);
  });

  it('a closed record reader decrypts nothing', () => {
    const name = 'TLS_AES_128_GCM_SHA256';
    const secret = Buffer.alloc(32, 0x33);
    const [one, two] = splitHeader(createSealer(name, secret)(22, Buffer.from('message')));
    const open = () => createRecordOpener(suites.get(name) as Suite, secret);
    expect(open().open(one, two)).toEqual(Buffer.from('message\x16'));
    const closed = open();
    closed.close();
    expect(closed.open(one, two)).toBeUndefined();
  });
});

function splitHeader(record: Buffer): [header: Buffer, body: Buffer] {
  return [record.subarray(0, 5), record.subarray(5)];
}
