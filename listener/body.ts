// Reads the body of a request whole, up to a size, into one buffer; or reads it and drops it.
import type { IncomingMessage } from 'node:http';

/** What is held at first of a body that does not say how long it is, or says that it is longer. */
const firstBytes = 16 * 1024;

/**
 * Undefined when it has more than `maxBytes`, or ended early; whatever still comes then is dropped. Chunks are copied: each
 * costs some 70 bytes and an object besides what is in it, and a caller may send one for each byte.
 * @param hold is told how many bytes are held, before they are; what it throws ends the reading
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  hold: (bytes: number) => void = () => {},
): Promise<Buffer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>();
  const announced = Number(request.headers['content-length'] ?? Number.NaN);
  let held: Buffer = Buffer.alloc(0);
  let size = 0;
  const take = (chunk: Buffer) => {
    const end = size + chunk.length;
    if (end > maxBytes) return leave(() => resolve(undefined));
    try {
      // The usual case: all of it at once.
      if (size === 0 && chunk.length === announced) {
        hold(end);
        held = chunk;
      } else {
        if (end > held.length) grow(end);
        held.set(chunk, size);
      }
      size = end;
    } catch (thrown) {
      leave(() => reject(thrown));
    }
  };
  const grow = (least: number) => {
    const most = announced <= maxBytes ? Math.max(announced, least) : maxBytes;
    const length = Math.min(most, Math.max(firstBytes, 2 * held.length, least));
    hold(length);
    const larger = Buffer.allocUnsafeSlow(length);
    larger.set(held.subarray(0, size));
    held = larger;
  };
  const leave = (settle: () => void) => {
    request.off('data', take);
    request.resume();
    held = Buffer.alloc(0);
    settle();
  };
  request.on('data', take);
  request.once('end', () => resolve(held.subarray(0, size)));
  request.once('close', () => resolve(undefined));
  return promise;
}

/** Resolves when the request has ended or is gone, and after `maxBytes` or `ms` at the latest. */
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
      // With nobody to hear it, it would be kept.
      request.resume();
      resolve();
    }
    if (request.complete || request.destroyed) return done();
    request.on('data', count).once('end', done).once('close', done);
  });
}
