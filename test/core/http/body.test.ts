// Bodies of answers over real sockets: every coding, every way to end early, and limits that hold against bombs.
import { once } from 'node:events';
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest, createServer as tlsServer } from 'node:https';
import type { Socket } from 'node:net';
import zlib from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { collectBody } from '../../../core/http/body.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { call, failure, listen, rawServer, webServer } from '../../support/http/wire.ts';

const options = { limitBytes: 100_000, decode: true };
const text = Buffer.from('{"balance":12.50,"currency":"EUR"}'.repeat(200));

/** Or closed, whichever comes first. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

const codings: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: zlib.gzipSync,
  'x-gzip': zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: zlib.brotliCompressSync,
  zstd: zlib.zstdCompressSync,
};

function coded(coding: string, bytes: Buffer): Promise<number> {
  return webServer((_, response) => response.writeHead(200, { 'content-encoding': coding }).end(bytes));
}

describe('a body', () => {
  it.each(Object.keys(codings))('in the coding %s is decoded', async (coding) => {
    const bytes = codings[coding]?.(text) as Buffer;
    for (const name of [coding, coding.toUpperCase()]) {
      const { body } = await call(await coded(name, bytes), options);
      expect(await body).toEqual({ bytes: text, decoded: true });
    }
  });

  it('in raw deflate, as some servers send it, is decoded', async () => {
    const { body } = await call(await coded('deflate', zlib.deflateRawSync(text)), options);
    expect((await body).bytes).toEqual(text);
  });

  it('in several codings is decoded from the last to the first', async () => {
    const bytes = zlib.zstdCompressSync(zlib.brotliCompressSync(zlib.gzipSync(text)));
    const { body } = await call(await coded('gzip, br,, identity , zstd', bytes), options);
    expect(await body).toEqual({ bytes: text, decoded: true });
  });

  it('of several zstd frames or gzip members is decoded completely', async () => {
    for (const [coding, compress] of [
      ['zstd', zlib.zstdCompressSync],
      ['gzip', zlib.gzipSync],
    ] as const) {
      const { body } = await call(await coded(coding, Buffer.concat([compress(text), compress(text)])), options);
      expect((await body).bytes).toEqual(Buffer.concat([text, text]));
    }
  });

  it.each(['compress', 'gzip, exi', 'gzip, gzip, gzip, gzip', '__proto__', 'toString'])(
    'in the coding %s is returned unchanged',
    async (coding) => {
      const { body } = await call(await coded(coding, text), options);
      expect(await body).toEqual({ bytes: text, decoded: false });
    },
  );

  it('is returned unchanged if the caller requests that', async () => {
    const bytes = zlib.gzipSync(text);
    const { body } = await call(await coded('gzip', bytes), { ...options, decode: false });
    expect(await body).toEqual({ bytes, decoded: false });
  });

  it.each(['', 'gzip', 'br', 'zstd', 'deflate'])('can be empty, coding %j', async (coding) => {
    for (const [status, method] of [
      [200, 'HEAD'],
      [200, 'GET'],
      [204, 'GET'],
      [304, 'GET'],
    ] as const) {
      const port = await webServer((_, response) => {
        response.writeHead(status, coding ? { 'content-encoding': coding } : {});
        response.end(method === 'HEAD' ? text : undefined);
      });
      const { body } = await call(port, options, method);
      expect(await body).toEqual({ bytes: Buffer.alloc(0), decoded: false });
    }
  });

  it('can arrive in many pieces, with trailers, or until the connection closes', async () => {
    for (const answer of [
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nx-sum: 5\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
      'HTTP/1.0 200 OK\r\n\r\nabc',
    ]) {
      const port = await rawServer(async (socket) => {
        for (const byte of answer) await new Promise((resolve) => socket.write(byte, resolve));
        socket.end();
      });
      const { body } = await call(port, options);
      expect((await body).bytes.toString()).toBe('abc');
    }
  });

  it('leaves its connection reusable', async () => {
    const ports = new Set<number | undefined>();
    const port = await webServer((received, response) => {
      ports.add(received.socket.remotePort);
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync(text));
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (let round = 0; round < 3; round++) {
      const { body } = await call(port, options, 'GET', agent);
      expect((await body).bytes).toEqual(text);
    }
    expect(ports.size).toBe(1);
  });

  it('arrives the same over TLS', async () => {
    const authority = createAuthority({ commonName: 'Test root' });
    const leaf = authority.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
    const server = tlsServer({ key: leaf.privateKey, cert: leaf.certificate }, (_, response) => {
      response.writeHead(200, { 'content-encoding': 'br' }).end(zlib.brotliCompressSync(text));
    });
    const agent = new TlsAgent({ ca: authority.certificate, servername: 'localhost' });
    onTestFinished(() => {
      agent.destroy();
      server.close();
    });
    const sent = tlsRequest({ host: '127.0.0.1', port: await listen(server), agent }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect((await collectBody(response, options)).bytes).toEqual(text);
  });
});

describe('a body that ends early', () => {
  const ways: Readonly<Record<string, (socket: Socket) => void>> = {
    'before its length': (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'),
    'before its last chunk': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'),
    'inside a chunk': (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc'),
    'by a reset': (socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => socket.resetAndDestroy()),
  };

  it.each(Object.keys(ways))('%s is incomplete', async (way) => {
    const port = await rawServer(ways[way] as (socket: Socket) => void);
    const error = await failure(port, 'response-incomplete', options);
    expect(error.evidence).toMatchObject({ receivedBytes: expect.any(Number) });
  });

  it('reports how many bytes were missing', async () => {
    const port = await rawServer(ways['before its length'] as (socket: Socket) => void);
    const error = await failure(port, 'response-incomplete', options);
    expect(error.evidence).toEqual({ receivedBytes: 3, announcedBytes: 10 });
  });

  it('is detected if it ended before the first read', async () => {
    const port = await rawServer(ways['before its length'] as (socket: Socket) => void);
    const { response } = await call(port, options);
    await new Promise((resolve) => response.once('close', resolve));
    await expect(collectBody(response, options)).rejects.toMatchObject({ code: 'response-incomplete' });
  });

  it('by our own deadline fails with that error', async () => {
    const deadline = new CountersignError('response-timeout', 'The deadline passed.');
    for (const end of ['request', 'response'] as const) {
      const port = await rawServer((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
      const { sent, response, body } = await call(port, options);
      (end === 'request' ? sent : response).destroy(deadline);
      await expect(body).rejects.toBe(deadline);
      expect(response.socket.destroyed).toBe(true);
    }
  });
});

describe('a body that is malformed', () => {
  it('in its chunks is detected, with the head or after it', async () => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n';
    for (const send of [
      (socket: Socket) => socket.write(`${head}oops\r\n`),
      (socket: Socket) => socket.write(head, () => setTimeout(() => socket.write('oops\r\n'), 5)),
    ]) {
      const error = await failure(await rawServer(send), 'response-malformed', options);
      expect(error.evidence).toEqual({ reason: 'HPE_INVALID_CHUNK_SIZE' });
    }
  });

  it.each(['gzip', 'deflate', 'br', 'zstd'])('in its coding %s is detected', async (coding) => {
    const whole = codings[coding]?.(text) as Buffer;
    for (const bytes of [
      Buffer.from('this is not compressed at all'),
      whole.subarray(0, whole.length - 1),
      whole.subarray(0, 1),
      Buffer.concat([whole, Buffer.from('and more')]),
    ]) {
      const error = await failure(await coded(coding, bytes), 'response-malformed', options);
      expect(error.evidence).toEqual({ contentCoding: coding });
    }
  });
});

describe('the size limit', () => {
  it('allows a body of exactly that size, and not one byte more', async () => {
    // Random bytes do not compress: what comes in is larger than what goes out.
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
    for (const [coding, compress] of Object.entries({ identity: (bytes: Buffer) => bytes, ...codings })) {
      const port = await coded(coding, compress(noise));
      const { body } = await call(port, { limitBytes: 65_536, decode: true });
      expect((await body).bytes).toEqual(noise);
      const error = await failure(port, 'response-too-large', { limitBytes: 65_535, decode: true });
      expect(error.evidence).toEqual({ limitBytes: 65_535 });
    }
  });

  it('ends an endless response, coded or not, soon after the limit', async () => {
    const member = zlib.gzipSync(Buffer.alloc(1 << 20));
    for (const [coding, piece] of [
      ['identity', Buffer.alloc(65_536)],
      ['gzip', Buffer.concat(Array.from({ length: 64 }, () => member))],
    ] as const) {
      let sentBytes = 0;
      const port = await webServer(async (_, response) => {
        response.writeHead(200, { 'content-encoding': coding });
        while (!response.destroyed) {
          sentBytes += piece.length;
          if (!response.write(piece)) await drained(response);
        }
      });
      await failure(port, 'response-too-large', { limitBytes: 1_000_000, decode: true });
      // What fills the socket's buffers on both sides is on its way before the connection closes.
      expect(sentBytes).toBeLessThan(32_000_000);
    }
  });

  // 10 GB of zeros, as frames and members of 64 MB, and once more inside another coding.
  const zeros = Buffer.alloc(64 << 20);
  const frame = zlib.zstdCompressSync(zeros);
  const member = zlib.gzipSync(zeros);
  const repeated = (bytes: Buffer) => Buffer.concat(Array.from({ length: 160 }, () => bytes));

  it.each([
    ['zstd', repeated(frame)],
    ['gzip', repeated(member)],
    ['gzip, gzip', zlib.gzipSync(repeated(member))],
    ['zstd, br', zlib.brotliCompressSync(repeated(frame), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ['deflate', zlib.deflateSync(zeros)],
    ['br', zlib.brotliCompressSync(zeros, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ])('ends the decoding of a %s bomb at the limit', async (coding, bomb) => {
    const before = process.resourceUsage().maxRSS;
    const port = await coded(coding, bomb);
    await failure(port, 'response-too-large', { limitBytes: 4_500_000, decode: true });
    // Kilobytes: most of it is what the bomb itself takes on its way through the sockets.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
  });

  it('applies to the memory that a zstd frame requests', async () => {
    const wide = zlib.zstdCompressSync(Buffer.alloc(20 << 20), { params: { [zlib.constants.ZSTD_c_windowLog]: 24 } });
    await failure(await coded('zstd', wide), 'response-malformed', options);
  });

  it('applies to the number of zstd frames', async () => {
    const empty = zlib.zstdCompressSync(Buffer.alloc(0));
    const frames = Buffer.concat(Array.from({ length: 5000 }, () => empty));
    await failure(await coded('zstd', frames), 'response-malformed', options);
  });
});
