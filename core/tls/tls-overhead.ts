// Limits the TLS messages of a server that carry no data: key updates, tickets, empty records. Node does not report
// them.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CountersignError } from '../errors.ts';

/** For each call and the idle time after it. A renegotiation takes less than 100 KB. */
const limitBytes = 1024 * 1024;

/** A record of one byte takes 22 to 90 bytes on the wire, depending on the cipher suite (RFC 8446, section 5). */
const recordOverhead = 90;

/** Milliseconds. */
const checkEveryMs = 250;

export interface TlsOverhead {
  /** Counts from 0 again, for the next call. */
  restart(): void;
}

/**
 * Destroys the socket with `response-too-large` if the server exceeds the limit, also while the connection is idle.
 * @param connection the TCP connection below the socket
 */
export function limitTlsOverhead(
  socket: Pick<TLSSocket, 'bytesRead' | 'destroy' | 'once'>,
  connection: Pick<Socket, 'bytesRead'>,
): TlsOverhead {
  let wireBefore = 0;
  let dataBefore = 0;
  const restart = () => {
    wireBefore = connection.bytesRead;
    dataBefore = socket.bytesRead;
  };
  restart();
  const timer = setInterval(() => {
    const dataBytes = socket.bytesRead - dataBefore;
    if (connection.bytesRead - wireBefore > limitBytes + dataBytes * recordOverhead) socket.destroy(tooMuch());
  }, checkEveryMs).unref();
  socket.once('close', () => clearInterval(timer));
  return { restart };
}

function tooMuch(): CountersignError {
  return new CountersignError(
    'response-too-large',
    'The API server sent 1 MB of TLS messages that carry no response.',
    {
      evidence: { limitBytes },
      hint: 'The customer must check why its API sends so many bytes around the response.',
    },
  );
}
