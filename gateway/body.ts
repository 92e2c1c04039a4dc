// Reads the body of a request whole, up to a size.
import type { IncomingMessage } from 'node:http';

/**
 * Undefined when it has more than `maxBytes`, or ended early. The rest is read and dropped for a while, since a client that
 * is cut off while it sends does not see the answer.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
    if (size > 4 * maxBytes) resolve(undefined);
  });
  request.once('end', () => resolve(size <= maxBytes ? wholeOf(chunks) : undefined));
  request.once('close', () => resolve(undefined));
  return promise;
}

function wholeOf(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
