// Bodies that are small on the wire, or come in tiny chunks, and would cost gigabytes or seconds, stay within limits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { expensiveBrotli, nestedBrotli } from '../../support/http/brotli-bomb.ts';
import { call, failure, rawServer, webServer } from '../../support/http/wire.ts';
import { createAuthorities } from '../../support/stage.ts';

const options = { limitBytes: 4_500_000, decode: true };

function coded(coding: string, bytes: Buffer): Promise<number> {
  return webServer((_, response) => response.writeHead(200, { 'content-encoding': coding }).end(bytes));
}

async function decoded(coding: string, bytes: Buffer): Promise<Buffer> {
  const { body } = await call(await coded(coding, bytes), options);
  return (await body).bytes;
}

function repeated(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}

const noise = Buffer.concat(Array.from({ length: 64 }, () => crypto.getRandomValues(new Uint8Array(65_536))));

describe('a body in chunks of one byte', () => {
  it('uses little more memory than its size', async () => {
    const size = 1_000_000;
    const chunks = Buffer.from('1\r\nx\r\n'.repeat(10_000));
    const port = await rawServer(async (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      for (let sent = 0; sent < size; sent += 10_000) {
        if (!socket.write(chunks)) await once(socket, 'drain');
      }
      socket.end('0\r\n\r\n');
    });
    const program = join(import.meta.dirname, '../../support/http/body-in-a-process.ts');
    const child = spawn(process.execPath, [program, String(port), '4500000'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const report = JSON.parse(await textOf(child.stdout));
    expect(report.size).toBe(size);
    // A list of the chunks takes 300 MB. Most of what is left is V8's space for young objects.
    expect(report.grownBytes).toBeLessThan(100_000_000);
  });

  it('is the same as in one chunk', async () => {
    const port = await rawServer((socket) => {
      const chunks = Array.from({ length: 20_000 }, (_, at) => `1\r\n${String.fromCharCode(97 + (at % 26))}\r\n`);
      socket.end(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`);
    });
    const { body } = await call(port, options);
    const { bytes } = await body;
    expect(bytes.toString()).toBe('abcdefghijklmnopqrstuvwxyz'.repeat(770).slice(0, 20_000));
  });
});

describe('a body whose decoding is expensive', () => {
  const authorities = createAuthorities();

  /** What a call for it comes to, and how many other calls in this process were answered before it. */
  async function besideOthers(coding: string, body: Buffer, timeoutMs: number) {
    const answers: Record<string, (response: ServerResponse) => void> = {
      '/hostile': (response) => response.writeHead(200, { 'content-encoding': coding }).end(body),
      '/other': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync('ordinary')),
    };
    const api = await startApi(authorities, { answer: ({ url = '' }, response) => answers[url]?.(response) });
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: platform.destinationsOf(api) });
    const at = (path: string) => ({ url: `https://api.acme.example:${api.port}${path}` });
    await platform.call(at('/other'));
    let isOver = false;
    const hostile = platform.call({ ...at('/hostile'), timeoutMs }).finally(() => {
      isOver = true;
    });
    let others = 0;
    while (!isOver) {
      const reply = await platform.call(at('/other'));
      expect(reply.body).toMatchObject({ status: 200, body: 'ordinary' });
      others += 1;
    }
    return { reply: await hostile, others };
  }

  it('with a large content ends at the deadline, and other calls continue', async () => {
    const { reply, others } = await besideOthers('br, br', nestedBrotli(4_200_000, 1100), 500);
    expect(reply.statusCode).toBe(504);
    expect(reply.body).toMatchObject({ code: 'response-timeout', evidence: { phase: 'response', timeoutMs: 500 } });
    // Some hundred on an idle machine; one or two when the event loop is blocked.
    expect(others).toBeGreaterThan(10);
  });

  it.each([
    ['br, br', 162, nestedBrotli(4_400_000, 1)],
    ['br, gzip', 12_000, zlib.gzipSync(expensiveBrotli(4_400_000, 1), { level: 9 })],
    ['br', 4_400_000, expensiveBrotli(4_400_000, 1)],
  ])('with almost no content is malformed, in %s of some %i bytes', async (coding, _size, body) => {
    const { reply } = await besideOthers(coding, body, 20_000);
    expect(reply.body).toMatchObject({ code: 'response-malformed', evidence: { contentCoding: 'br' } });
  });

  it('is abandoned after the caller has disconnected', async () => {
    const port = await coded('br', expensiveBrotli(4_200_000, 1100));
    let asked = 0;
    const isAbandoned = () => ++asked > 20;
    const error = await failure(port, 'response-timeout', { ...options, isAbandoned });
    expect(error.evidence).toBeUndefined();
    const after = asked;
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBe(after);
  });

  it.each([
    // Empty stored blocks (RFC 1951, section 3.2.4).
    ['deflate', Buffer.concat([repeated(Buffer.from('000000ffff', 'hex'), 400_000), Buffer.from('010000ffff', 'hex')])],
    ['gzip', repeated(zlib.gzipSync(''), 100_000)],
    // An endless frame of empty raw blocks (RFC 8878, section 3.1.1.2).
    [
      'zstd',
      Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), Buffer.alloc(1_200_000), Buffer.from('010000', 'hex')]),
    ],
  ])('with many empty parts is malformed, in %s', async (coding, body) => {
    const error = await failure(await coded(coding, body), 'response-malformed', options);
    expect(error.evidence).toEqual({ contentCoding: coding });
  });
});

describe('a body of many slices', () => {
  it.each([
    ['gzip', zlib.gzipSync(noise)],
    ['deflate', zlib.deflateRawSync(noise)],
    ['br', zlib.brotliCompressSync(noise, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ['zstd', zlib.zstdCompressSync(noise, { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } })],
    ['gzip, zstd', zlib.zstdCompressSync(zlib.gzipSync(noise))],
  ])('is decoded completely, in %s', async (coding, bytes) => {
    expect((await decoded(coding, bytes)).equals(noise)).toBe(true);
  });

  it.each(['gzip', 'deflate', 'br', 'zstd'] as const)(
    'is malformed if it is truncated or has trailing bytes, in %s',
    async (coding) => {
      const compress = {
        gzip: zlib.gzipSync,
        deflate: zlib.deflateSync,
        br: zlib.brotliCompressSync,
        zstd: zlib.zstdCompressSync,
      }[coding];
      const whole = compress(noise.subarray(0, 40_000));
      // A slice has 8 KiB: the end of the coding lies inside one, at its end, and in the one before.
      for (const size of [8_192, 16_384, 16_383, 30_000]) {
        await failure(await coded(coding, whole.subarray(0, size)), 'response-malformed', options);
      }
      for (const tail of [Buffer.alloc(1), Buffer.alloc(20_000), Buffer.from('and more'), noise.subarray(0, 9_000)]) {
        await failure(await coded(coding, Buffer.concat([whole, tail])), 'response-malformed', options);
      }
    },
  );

  it('in members or frames of any size is decoded completely', async () => {
    const pieces = Array.from({ length: 300 }, (_, at) => noise.subarray(at * 997, at * 997 + at * 3));
    const content = Buffer.concat(pieces);
    const skippable = Buffer.from('5a2a4d1803000000616263', 'hex');
    for (const checksum of [0, 1]) {
      const params = { [zlib.constants.ZSTD_c_checksumFlag]: checksum };
      const frames = pieces.flatMap((piece) => [zlib.zstdCompressSync(piece, { params }), skippable]);
      expect((await decoded('zstd', Buffer.concat(frames))).equals(content)).toBe(true);
    }
    const members = Buffer.concat(pieces.map((piece) => zlib.gzipSync(piece)));
    expect((await decoded('gzip', members)).equals(content)).toBe(true);
  });

  it('can have at most 1000 frames', async () => {
    const frame = zlib.zstdCompressSync('content');
    expect((await decoded('zstd', repeated(frame, 1000))).toString()).toBe('content'.repeat(1000));
    await failure(await coded('zstd', repeated(frame, 1001)), 'response-malformed', options);
  });

  it('from an encoder that flushes often is decoded', async () => {
    const gzip = zlib.createGzip({ level: 0 });
    const encoded: Buffer[] = [];
    gzip.on('data', (chunk: Buffer) => encoded.push(chunk));
    for (let line = 0; line < 40_000; line++) {
      gzip.write(`${line % 10}\n`.repeat(5));
      if (line % 4 === 0) await new Promise<void>((resolve) => gzip.flush(() => resolve()));
    }
    gzip.end();
    await once(gzip, 'end');
    expect(await decoded('gzip', Buffer.concat(encoded))).toHaveLength(400_000);
  });
});
