// Reads the body of a request into one buffer, up to a limit; or reads and drops it.
import type { IncomingMessage } from 'node:http';

/** First size of the buffer, for a longer body or one without a Content-Length. */
const firstBytes = 16 * 1024;

/**
 * Undefined if the body has more than `maxBytes` or ended early; the rest is then dropped. Chunks are copied into one
 * buffer: each has an overhead of about 70 bytes, and a caller can send a chunk for each byte.
 * @param hold called with the size of the buffer, in bytes, before it is allocated; rejects with what `hold` throws
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  hold: (bytes: number) => void = () => {},
): Promise<Buffer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>();
  const announced = Number(request.headers['content-length'] ?? Number.NaN);
  let buffer: Buffer = Buffer.alloc(0);
  let size = 0;
  const onData = (chunk: Buffer) => {
    const end = size + chunk.length;
    if (end > maxBytes) return stop(() => resolve(undefined));
    try {
      // The usual case: one chunk.
      if (size === 0 && chunk.length === announced) {
        hold(end);
        buffer = chunk;
      } else {
        if (end > buffer.length) grow(end);
        buffer.set(chunk, size);
      }
      size = end;
    } catch (thrown) {
      stop(() => reject(thrown));
    }
  };
  const grow = (minBytes: number) => {
    const limit = announced <= maxBytes ? Math.max(announced, minBytes) : maxBytes;
    const length = Math.min(limit, Math.max(firstBytes, 2 * buffer.length, minBytes));
    hold(length);
    const larger = Buffer.allocUnsafeSlow(length);
    larger.set(buffer.subarray(0, size));
    buffer = larger;
  };
  const stop = (settle: () => void) => {
    request.off('data', onData);
    request.resume();
    buffer = Buffer.alloc(0);
    settle();
  };
  request.on('data', onData);
  request.once('end', () => resolve(buffer.subarray(0, size)));
  request.once('close', () => resolve(undefined));
  return promise;
}

/** Resolves when the request has ended or was aborted, and at the latest after `maxBytes` or `ms` milliseconds. */
export function dropBody(request: IncomingMessage, maxBytes: number, ms: number): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(done, ms).unref();
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) done();
    };
    function done(): void {
      clearTimeout(timer);
      request.off('data', count);
      request.off('end', done);
      request.off('close', done);
      // Without a listener and resume(), Node would buffer the rest.
      request.resume();
      resolve();
    }
    if (request.complete || request.destroyed) return done();
    request.on('data', count).once('end', done).once('close', done);
  });
}
