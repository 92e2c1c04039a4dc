// Reads the body of a request into one buffer, up to a limit; or reads and drops it.
import type { IncomingMessage } from 'node:http';
import { ByteCollector } from '../core/byte-collector.ts';

/**
 * Undefined if the body has more than `maxBytes` or ended early; the rest is then dropped.
 * @param hold called with the size of the buffer, in bytes, before it is allocated; rejects with what `hold` throws
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  hold?: (bytes: number) => void,
): Promise<Buffer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>();
  const expectedBytes = Number(request.headers['content-length'] ?? 0);
  const collector = new ByteCollector({ maxBytes, expectedBytes, ...(hold ? { hold } : {}) });
  const onData = (chunk: Buffer) => {
    if (collector.size + chunk.length > maxBytes) return stop(() => resolve(undefined));
    try {
      collector.add(chunk);
    } catch (thrown) {
      stop(() => reject(thrown));
    }
  };
  const stop = (settle: () => void) => {
    request.off('data', onData);
    request.resume();
    collector.clear();
    settle();
  };
  request.on('data', onData);
  request.once('end', () => resolve(collector.bytes));
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
