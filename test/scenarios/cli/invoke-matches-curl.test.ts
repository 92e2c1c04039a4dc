// `countersign invoke` and the real curl with the same options and server: same request, output, file and exit code.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { customerRoot, directoryFor, type Listening, listen, type Received } from '../../support/cli/customer.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';

const curl = findPeer('curl');

/** The server answers by the path. */
const answers: Readonly<Record<string, readonly [number, string]>> = {
  '/': [200, 'the answer\n'],
  '/empty': [200, ''],
  '/bytes': [200, '\u0000\u00ff\u0001'],
  '/created': [201, 'made'],
  '/elsewhere': [302, 'moved'],
  '/bad': [400, 'bad'],
  '/missing': [404, 'no such thing\n'],
  '/broken': [503, 'broken'],
};

const files = {
  'lines.txt': 'first\r\nsecond\n\nthird\n',
  'latin.txt': '\u00ff\u0080\r\n',
  // -d @file leaves null bytes out, which curl before 8 stumbles over.
  'bytes.bin': '\u0000\u00ff\u0080\r\n',
  'empty.txt': '',
  // curl 8.14 sends the carriage return of a line that ends with CRLF.
  'headers.txt': 'X-From: a file\nX-Second: 2\n\n',
};

/** `URL` stands for the address of the server. What is given to both, and what is read from standard input. */
const cells: readonly (readonly [readonly string[], string?])[] = [
  // The method.
  [['URL/']],
  [['URL/?a=1&b=%20c']],
  [['-X', 'DELETE', 'URL/']],
  [['-XPUT', '-d', 'a', 'URL/']],
  [['--request', 'PATCH', '--data', 'a', 'URL/']],
  [['-X', 'GET', '-d', 'a', 'URL/']],
  [['-X', 'OPTIONS', 'URL/']],
  [['-I', 'URL/']],
  [['--head', 'URL/missing']],
  [['-I', '-X', 'GET', 'URL/']],
  // The body.
  [['-d', 'a=1', 'URL/']],
  [['-d', 'a=1', '-d', 'b=2', '--data-raw', '@c', '--data-binary', 'd', 'URL/']],
  [['-d', '', 'URL/']],
  [['-d', '&', '-d', '', '-d', 'b', 'URL/']],
  [['-d', '-x', 'URL/']],
  [['-d', 'grüße', 'URL/']],
  [['-d', '@lines.txt', 'URL/']],
  [['--data-binary', '@lines.txt', 'URL/']],
  [['--data-binary', '@bytes.bin', 'URL/']],
  [['-d', '@latin.txt', 'URL/']],
  [['-d', '@empty.txt', 'URL/']],
  [['-d', '@lines.txt', '-d', 'x', '--data-binary', '@lines.txt', 'URL/']],
  [['--data-raw', '@lines.txt', 'URL/']],
  [['-d', '@-', 'URL/'], 'from\nstandard\ninput'],
  [['--data-binary', '@-', 'URL/'], 'from\nstandard\ninput'],
  // The headers.
  [['-H', 'X-One: 1', '-H', 'x-two:2', '-H', 'X-Three:   3  ', 'URL/']],
  [['-H', 'X-Same: 1', '-H', 'X-Same: 2', 'URL/']],
  [['-H', 'X-Empty;', '-H', 'X-None:', 'URL/']],
  [['-H', 'X-Colons: a:b;c', 'URL/']],
  [['-H', 'User-Agent: mine', 'URL/']],
  [['-H', 'Accept: text/plain', 'URL/']],
  [['-H', '@headers.txt', '-H', 'X-Third: 3', 'URL/']],
  [['-d', '{}', '-H', 'content-type: application/json', 'URL/']],
  [['-d', '{}', '-H', 'Content-Type:', 'URL/']],
  [['-d', '{}', '-H', 'Content-Type;', 'URL/']],
  // The output.
  [['URL/empty']],
  [['URL/bytes']],
  [['-i', 'URL/']],
  [['--include', 'URL/missing']],
  [['-i', 'URL/elsewhere']],
  [['-f', 'URL/']],
  [['-f', 'URL/elsewhere']],
  [['-f', 'URL/bad']],
  [['--fail', 'URL/missing']],
  [['-f', '-i', 'URL/broken']],
  [['-f', '-I', 'URL/missing']],
  [['--fail-with-body', 'URL/missing']],
  [['--fail-with-body', '-i', 'URL/missing']],
  [['-o', 'out', 'URL/']],
  [['-oout', '-i', 'URL/created']],
  [['--output', 'out', 'URL/empty']],
  [['-o', 'out', 'URL/bytes']],
  [['-o', '-', 'URL/bytes']],
  [['-f', '-o', 'out', 'URL/missing']],
  [['-f', '-i', '-o', 'out', 'URL/missing']],
  [['--fail-with-body', '-o', 'out', 'URL/missing']],
  [['-sSi', 'URL/']],
  [['-fsS', '-o', 'out', 'URL/created']],
  // What neither takes.
  [['-I', '-d', 'a', 'URL/']],
  [['-X']],
  [['--no-such-option', 'URL/']],
];

/** Curl sends these by default, Countersign others (docs/command.md). */
const ofTheProgram = new Set(['host', 'connection', 'accept-encoding']);
const byDefault: ReadonlySet<string> = new Set(['accept: */*', 'user-agent: countersign']);

interface Did {
  readonly code: number | null;
  readonly out: string;
  readonly file: string | undefined;
  readonly requests: readonly unknown[];
}

function requestOf({ method, url, headers, body }: Received): unknown {
  const meant = headers
    .filter(([name]) => !ofTheProgram.has(name))
    .map(([name, value]) => `${name}: ${value}`)
    .filter((line) => !byDefault.has(line) && !line.startsWith('user-agent: curl/'));
  return { method, url, headers: meant.sort(), body: body.toString('latin1') };
}

/** The first line without the server's own words, the names in lower case, without those of the connection. */
function withPlainHead(out: string): string {
  const end = out.indexOf('\r\n\r\n');
  if (!out.startsWith('HTTP/1.1 ') || end === -1) return out;
  const [status = '', ...lines] = out.slice(0, end).split('\r\n');
  const kept = lines
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .filter((line) => !/^(date|connection|keep-alive|transfer-encoding):/.test(line));
  return [status.slice(0, 'HTTP/1.1 200'.length), ...kept, '', ''].join('\r\n') + out.slice(end + 4);
}

async function observe(server: Listening, cwd: string, run: () => Promise<{ code: number | null; bytes: Buffer }>) {
  server.received.length = 0;
  const { code, bytes } = await run();
  const path = join(cwd, 'out');
  const did: Did = {
    code,
    out: withPlainHead(bytes.toString('latin1')),
    file: existsSync(path) ? withPlainHead(readFileSync(path, 'latin1')) : undefined,
    requests: server.received.map(requestOf),
  };
  return did;
}

function runCurl(args: readonly string[], cwd: string, stdin: string): Promise<{ code: number | null; bytes: Buffer }> {
  const child = spawn(curl ?? '', ['-s', ...args], { cwd, env: { PATH: process.env.PATH ?? '' } });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  return new Promise((done) => child.once('close', (code) => done({ code, bytes: Buffer.concat(chunks) })));
}

describe.skipIf(!curl)('countersign invoke does what curl does (needs curl)', () => {
  it.each(cells.map(([args, stdin]) => ({ args, stdin })))('$args', async ({ args, stdin = '' }) => {
    const server = await listen(({ url }, response) => {
      const [status, body] = answers[url.split('?')[0] ?? ''] ?? [500, ''];
      response.writeHead(status, { 'content-type': 'text/plain', 'X-Two': ['a', 'b'] });
      response.end(Buffer.from(body, 'latin1'));
    });
    const [curlFolder, ownFolder] = [privateFolder(), privateFolder()];
    for (const folder of [curlFolder, ownFolder]) {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text, 'latin1');
    }
    const given = args.map((arg) => arg.replace('URL', `https://localhost:${server.port}`));
    const ca = curlFolder.write('ca.pem', customerRoot.certificate);
    const theirs = await observe(server, curlFolder.path, () =>
      runCurl(['--cacert', ca, ...given], curlFolder.path, stdin),
    );
    const source = `directory:${directoryFor(server.port)}`;
    const ours = await observe(server, ownFolder.path, () =>
      runCommand(['invoke', '--source', source, ...given], { cwd: ownFolder.path, stdin }),
    );
    expect(ours).toEqual(theirs);
  });
});
