// `npm run bench:hostile`: what one call can cost at most. Bodies that are made to be expensive, each read by a process
// of its own.
import { fork } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { expensiveBrotli, nestedBrotli } from '../test/support/http/brotli-bomb.ts';

interface Cost {
  readonly outcome: string;
  readonly ms: number;
  readonly cpuMs: number;
  /** The longest time for which the event loop did not turn, in milliseconds. */
  readonly blockedMs: number;
  /** Growth of the resident memory at its peak, in bytes. */
  readonly grownBytes: number;
}

if (process.argv.includes('--help')) {
  console.log(`npm run bench:hostile

Reads bodies of responses that are made to be expensive, with a deadline of 10 s each, and prints time, CPU time, the longest
pause of the event loop and the growth of the memory. Takes under a minute.`);
  process.exit(0);
}

const largest = 4_490_000;
const bodies: readonly (readonly [what: string, coding: string, body: Buffer, chunkBytes?: number])[] = [
  ['4.49 MB in chunks of one byte', '', Buffer.alloc(largest, 'x'), 1],
  ['4.49 MB in one chunk', '', Buffer.alloc(largest, 'x')],
  ['4.49 MB, zstd', 'zstd', zstdCompressSync(Buffer.alloc(largest, 'x'))],
  ['`br, br`, 162 bytes, next to no content', 'br, br', nestedBrotli(4_400_000, 1)],
  ['`br, br`, content enough', 'br, br', nestedBrotli(4_200_000, 1100)],
  ['`br`, 4.2 MB, content enough', 'br', expensiveBrotli(4_200_000, 1100)],
];

console.log('| body | ends in | time | CPU | event loop blocked | memory |\n| --- | --- | --: | --: | --: | --: |');
for (const [what, coding, body, chunkBytes] of bodies) {
  const server = await serve(coding, body, chunkBytes);
  const { outcome, ms, cpuMs, blockedMs, grownBytes } = await read((server.address() as AddressInfo).port);
  const cells = [ms, cpuMs, blockedMs].map((value) => `${value.toFixed(0)} ms`);
  console.log(`| ${[what, outcome, ...cells, `${(grownBytes / 1e6).toFixed(0)} MB`].join(' | ')} |`);
  server.closeAllConnections();
  server.close();
}

async function serve(coding: string, body: Buffer, chunkBytes = body.length): Promise<Server> {
  const wire = chunkBytes === 1 ? Buffer.from('1\r\nx\r\n'.repeat(body.length)) : undefined;
  const server = createServer((_, response) => {
    if (wire === undefined) {
      response.writeHead(200, coding === '' ? {} : { 'content-encoding': coding }).end(body);
      return;
    }
    // Node would join the chunks.
    response.socket?.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    response.socket?.write(wire);
    response.socket?.end('0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function read(port: number): Promise<Cost> {
  const child = fork(join(import.meta.dirname, 'programs/hostile-body.ts'), [String(port)]);
  return new Promise((resolve, reject) => {
    child.once('message', (cost) => resolve(cost as Cost));
    child.once('exit', (code) => reject(new Error(`The reading process ended with code ${code}.`)));
  });
}
