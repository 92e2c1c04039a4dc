// What Node itself refuses: what is no request, what is too large to be one, and what takes too long. Answered in words, and counted.
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** How long whoever still sends may take to see the answer, in milliseconds. */
const lingersMs = 1_000;

const answered = new WeakSet<Socket>();

/**
 * To be told of `clientError`. What ends a connection and is no request, a reset or a handshake that failed, is only destroyed.
 * @param isAnswering whether part of another answer is on its way
 * @returns the status, once for each connection
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  isAnswering: boolean,
): string | undefined {
  const status = statusOf(error.code ?? '');
  if (answered.has(socket)) return undefined;
  answered.add(socket);
  if (status === undefined || !socket.writable || isAnswering) {
    socket.destroy();
    // What is answered already is counted already.
    return status === undefined || isAnswering ? undefined : String(status);
  }
  const reason = STATUS_CODES[status] ?? '';
  const body = JSON.stringify({ message: reason });
  const head = `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
  const timer = setTimeout(() => socket.destroy(), lingersMs).unref();
  socket.once('close', () => clearTimeout(timer));
  return String(status);
}

/** As Node does: lib/_http_server.js, socketOnError. */
function statusOf(code: string): number | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 413;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code.startsWith('HPE_') ? 400 : undefined;
}
