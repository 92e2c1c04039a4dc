// After the handshake: answers that end early, that are not HTTP, or that are too much, in both TLS versions.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startOpenssl } from '../../support/openssl.ts';
import { findLibrary, findPeer } from '../../support/peers.ts';
import { privateFolder, startProgram } from '../../support/program.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const head = (...lines: string[]) => `${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`;

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  /** The server says this and closes, or leaves the connection open. */
  const saying = (bytes: string | Buffer, then: 'close' | 'wait') =>
    serveHttps(
      trial.server,
      (socket) => {
        const answer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
        if (then === 'close') socket.end(answer);
        else socket.write(answer);
      },
      { maxVersion },
    );

  it.each([
    ['in a body of announced length', `${head('content-length: 10')}12345`, { receivedBytes: 5, announcedBytes: 10 }],
    ['behind the head', head('content-length: 10'), { receivedBytes: 0, announcedBytes: 10 }],
    ['in a chunk', `${head('transfer-encoding: chunked')}a\r\n12345`, { receivedBytes: 5 }],
    ['before the last chunk', `${head('transfer-encoding: chunked')}5\r\n12345\r\n`, { receivedBytes: 5 }],
    ['in the trailers', `${head('transfer-encoding: chunked')}0\r\nx-a: 1`, { receivedBytes: 0 }],
  ])('a response that ends %s is incomplete', async (_where, bytes, evidence) => {
    const server = await saying(bytes, 'close');
    const problem = await trial.fails('response-incomplete', server.port);
    expect(problem.evidence).toEqual(evidence);
  });

  it('a response that is reset in its body is incomplete', async () => {
    const server = await serveHttps(
      trial.server,
      (socket) => socket.write(`${head('content-length: 10')}12345`, () => socket.destroy()),
      { maxVersion },
    );
    await trial.fails('response-incomplete', server.port);
  });

  it.each([
    ['garbage', '\x01\x02\x03 what is this\r\n\r\n'],
    ['another protocol', '220 mail.acme.example ESMTP\r\n'],
    ['HTTP/2 without being asked', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0'],
    ['HTTP/3.7', 'HTTP/3.7 200 OK\r\n\r\n'],
    ['a malformed status', 'HTTP/1.1 2x0 OK\r\n\r\n'],
    ['the status 000', 'HTTP/1.1 000 x\r\ncontent-length: 0\r\n\r\n'],
    ['the status 099', 'HTTP/1.1 099 x\r\ncontent-length: 3\r\n\r\nabc'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n'],
    ['a header with a line feed in its name', 'HTTP/1.1 200 OK\r\nx\n: 1\r\n\r\n'],
    ['two lengths', head('content-length: 1', 'content-length: 2')],
    ['two equal lengths in one field', head('content-length: 1, 1')],
    ['a length on two lines', head('content-length:\r\n 1')],
    ['a transfer coding on two lines', head('transfer-encoding:\r\n chunked')],
    ['a first header that continues nothing', head(' x-a: 1')],
    ['a carriage return in a header', head('x-a: 1\rx-b: 2')],
    ['chunks that end their lines with LF', `${head('transfer-encoding: chunked')}2\nok\n0\n\n`],
    ['a negative length', head('content-length: -1')],
    ['a length and chunks', head('content-length: 1', 'transfer-encoding: chunked')],
    ['a chunk without a size', `${head('transfer-encoding: chunked')}zz\r\n`],
    ['a chunk that is longer than it says', `${head('transfer-encoding: chunked')}2\r\n12345\r\n0\r\n\r\n`],
    ['a head of 100 KB', head(`x-long: ${'y'.repeat(100_000)}`)],
    ['a head of 5000 lines', head(...Array.from({ length: 5000 }, (_, i) => `x-${i}: 1234567890`))],
    ['broken gzip', `${head('content-encoding: gzip', 'content-length: 4')}abcd`],
    [
      'gzip that ends early',
      Buffer.concat([
        Buffer.from(head('content-encoding: gzip', 'content-length: 15')),
        gzipSync('a text that is long enough').subarray(0, 15),
      ]),
    ],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'],
    ['a switch of protocols to nothing', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('%s is malformed', async (_what, bytes) => {
    const server = await saying(bytes, 'wait');
    const problem = await trial.fails('response-malformed', server.port);
    expect(problem.retryable).toBe(false);
    expect(problem.detail).not.toMatch(/1234567890|abcd|yyy/);
  });

  it.each([
    ['interim responses without end', 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n', 256 * 1024],
    ['chunk extensions', `1;${'e'.repeat(10_000)}\r\nx\r\n`, 36_000_000],
  ])('%s are limited in bytes', async (_what, piece, limitBytes) => {
    const server = await serveHttps(
      trial.server,
      (socket) => {
        if (piece.startsWith('1;')) socket.write(head('transfer-encoding: chunked'));
        const block = piece.repeat(100);
        const more = () => {
          while (!socket.destroyed && socket.write(block));
        };
        socket.on('drain', more).on('error', () => {});
        more();
      },
      { maxVersion },
    );
    const problem = await trial.fails('response-too-large', server.port);
    expect(problem.evidence).toEqual({ limitBytes });
    expect(problem.hint).toMatch(/^The customer /);
  });

  it.each([
    ['it says so', head('content-length: 4500001')],
    ['more comes than it said', `${head('transfer-encoding: chunked')}44AA21\r\n${'x'.repeat(0x44aa21)}\r\n`],
    ['it never ends', head('connection: close') + 'x'.repeat(4_600_000)],
    [
      'it is a bomb',
      (() => {
        const bomb = gzipSync(Buffer.alloc(50_000_000));
        return Buffer.concat([Buffer.from(head('content-encoding: gzip', `content-length: ${bomb.length}`)), bomb]);
      })(),
    ],
  ])('a response is too large if %s', async (_how, bytes) => {
    const server = await saying(bytes, 'wait');
    const problem = await trial.fails('response-too-large', server.port);
    expect(problem.evidence).toEqual({ limitBytes: 4_500_000 });
  });
});

describe.skipIf(!findPeer('openssl'))('openssl as the server (needs openssl)', () => {
  it('sends tickets without a response: TLS messages are limited in bytes', async () => {
    const args = ['-tls1_3', '-num_tickets', '5000'];
    const server = await startOpenssl(trial.server, { clientRoots: trial.platformRoot.certificate, page: false, args });
    const problem = await trial.fails('response-too-large', server.port);
    expect(problem.evidence).toEqual({ limitBytes: 1024 * 1024 });
  });
});

describe.skipIf(!findPeer('gcc') || !findLibrary('libssl-dev'))('a C server (needs gcc and libssl-dev)', () => {
  async function startServer() {
    const folder = privateFolder();
    const program = join(folder.path, 'key-updates');
    const source = join(import.meta.dirname, '../../support/connections/programs/key-updates.c');
    execFileSync(findPeer('gcc') as string, ['-o', program, source, '-lssl', '-lcrypto']);
    const { certificate, privateKey } = trial.server;
    const files = [folder.write('server.pem', certificate), folder.write('key.pem', privateKey)];
    const server = startProgram(program, files, folder.path);
    while (!server.output().includes('\n')) await once(server.child.stdout as Readable, 'data');
    return { server, port: Number(/^port (\d+)$/m.exec(server.output())?.[1]) };
  }

  it('sends key updates without a response: TLS messages are bounded by bytes', async () => {
    const { port } = await startServer();
    const problem = await trial.fails('response-too-large', port);
    expect(problem.evidence).toEqual({ limitBytes: 1024 * 1024 });
  });

  it('sends key updates after the response: the idle connection is closed, and the next call uses a new one', async () => {
    const { server, port } = await startServer();
    expect((await trial.call(port, { path: '/idle' })).body).toMatchObject({ status: 200, body: 'ok' });
    await expect.poll(server.output, { timeout: 20_000 }).toContain('closed');
    const next = await trial.again({ url: `https://localhost:${port}/idle` });
    expect(next.body).toMatchObject({ status: 200, body: 'ok' });
  });
});
