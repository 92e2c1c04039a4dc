// A TLS socket whose bytes go to a capture reader as well.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { CaptureReader } from './capture-reader.ts';

/**
 * `tls.connect` over that socket, connected or connecting, with the reader shown what comes in and the secrets that
 * open it; Node's copy of each key log line is zeroed after. The reader closes with the connection: a flight that is
 * complete enough may be closed earlier. The TLS socket owns the socket under it.
 */
export function connectRecorded(socket: Socket, options: ConnectionOptions, reader: CaptureReader): TLSSocket {
  const tap = tapSocket(
    socket,
    (bytes) => reader.push(bytes),
    (bytes) => reader.pushSent(bytes),
  );
  const secure = connect({ ...options, socket: tap });
  // As over a socket of its own: the server's end is answered with ours. It copied the opposite from the tap.
  secure.allowHalfOpen = false;
  secure.on('keylog', (line: Buffer) => {
    reader.secret(line);
    line.fill(0);
  });
  secure.once('close', () => reader.close());
  return secure;
}

/**
 * A stream that passes everything through and shows each inbound chunk to `onBytes` first, and each outbound one to
 * `onSent`; neither may change it or throw. Ending, failing or destroying the stream does so to the socket, and the
 * other way round; data is taken from the socket only as fast as it is read. It stays half open: after the peer's end
 * there may still be something to write.
 */
export function tapSocket(
  socket: Socket,
  onBytes: (bytes: Buffer) => void,
  onSent: (bytes: Buffer) => void = () => {},
): Duplex {
  let peerEnded = false;
  /** After the peer's end a write that fails tells nothing new; Node's TLS over a native socket passes over it too. */
  const news = (error?: Error | null): Error | undefined => (peerEnded ? undefined : (error ?? undefined));
  const tap = new Duplex({
    read() {
      socket.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      onSent(chunk);
      socket.write(chunk, (error) => done(news(error)));
    },
    final(done) {
      socket.end(() => done());
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (bytes: Buffer) => {
    onBytes(bytes);
    if (!tap.push(bytes)) socket.pause();
  });
  socket.on('end', () => {
    peerEnded = true;
    tap.push(null);
  });
  socket.on('error', (error) => tap.destroy(news(error)));
  socket.on('close', () => tap.destroy());
  socket.pause();
  return tap;
}
