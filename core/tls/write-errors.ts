// Reads what a server sent before it reset the connection: its response, or the alert that says why.
import type { TLSSocket } from 'node:tls';
import { isDisconnection } from './handshake-failure.ts';

type WriteCallback = (error?: Error | null) => void;

/**
 * A server that refuses a large request responds, closes and so resets the connection while we still send. The write
 * fails then, and Node closes the socket, although the kernel still has the response. So the failure of a write is held
 * back until the reading has ended, which after a reset is as soon as everything has been read.
 */
export function readBeforeWriteErrors(socket: TLSSocket): void {
  /** Reports the write's failure to the stream, which destroys the socket. */
  let report: (() => void) | undefined;
  let writeError: Error | undefined;
  const hold =
    (callback: WriteCallback): WriteCallback =>
    (error) => {
      if (!error || writeError || !isDisconnection(error) || socket.destroyed) return callback(error);
      writeError = error;
      report = () => callback(error);
    };
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, callback) => write(chunk, encoding, hold(callback));
  const writev = socket._writev?.bind(socket);
  if (writev) socket._writev = (chunks, callback) => writev(chunks, hold(callback));

  const push = socket.push.bind(socket);
  socket.push = (chunk, encoding) => {
    if (chunk !== null || !report) return push(chunk, encoding);
    report();
    return false;
  };
  const destroy = socket.destroy.bind(socket);
  // An alert says more than the failed write.
  socket.destroy = (error) => destroy(writeError && (!error || isDisconnection(error)) ? writeError : error);
}
