// Who calls: a bearer token, or the client certificate of the connection, looked up in the callers file at each request.
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CountersignError } from '../../core/errors.ts';
import type { Caller, Callers } from './callers.ts';

export interface Authentication {
  /** To be told of each connection before its handshake. */
  began(socket: Socket): void;
  /** Throws `not-authenticated`. */
  callerOf(request: IncomingMessage): Caller;
  /** Whether the connection was judged by authorities that are not in force any more: it should end with its next answer. */
  isStale(socket: Socket): boolean;
  /** The authorities of callers have changed: certificates of connections that stand count no more. */
  forgetCertificates(): void;
}

/** Tokens of fewer characters are guessed; nobody writes longer ones. */
const tokenPattern = /^Bearer +([A-Za-z0-9\-._~+/]{32,512}=*)$/i;

interface Shown {
  readonly certificate: X509Certificate;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** `callers` gives those in force now; `now` in milliseconds since 1970. */
export function createAuthentication(callers: () => Callers, now: () => number = Date.now): Authentication {
  let shown = new WeakMap<TLSSocket, Shown>();
  let authorities = 0;
  /** Of each open connection, the authorities that its handshake is judged by. */
  const judgedBy = new Map<string, { readonly authorities: number }>();

  return {
    began(socket) {
      const key = endsOf(socket);
      const mine = { authorities };
      judgedBy.set(key, mine);
      // The port of a connection that was reset is free again before its end is told here.
      socket.once('close', () => {
        if (judgedBy.get(key) === mine) judgedBy.delete(key);
      });
    },
    callerOf(request) {
      const { authorization } = request.headers;
      if (authorization !== undefined && isTwice(request.rawHeaders, 'authorization'))
        throw refused('credentials-ambiguous', 'The request has more than one Authorization header.');
      // A token that is shown must be right, whatever certificate is beneath it.
      if (authorization !== undefined) return byToken(authorization);
      if (request.socket instanceof TLSSocket) return byCertificate(request.socket);
      throw refused('no-credentials', 'The request has no bearer token.');
    },
    isStale,
    forgetCertificates() {
      authorities++;
      shown = new WeakMap();
    },
  };

  function isStale(socket: Socket): boolean {
    return judgedBy.get(endsOf(socket))?.authorities !== authorities;
  }

  function byToken(authorization: string): Caller {
    const token = tokenPattern.exec(authorization)?.[1];
    const caller = token === undefined ? undefined : callers().byToken(token);
    if (caller === undefined)
      throw refused('token-unknown', 'The bearer token is not one that this installation knows.');
    return caller;
  }

  function byCertificate(socket: TLSSocket): Caller {
    const { certificate, from, to } = shown.get(socket) ?? look(socket);
    const time = now();
    // A connection, or a session that was taken up again, may outlive the certificate it began with.
    if (time < from || time > to) throw refused('certificate-expired', 'The client certificate is outside its dates.');
    const caller = callers().byCertificate(certificate);
    if (caller === undefined) {
      throw refused(
        'subject-unknown',
        'The subject of the client certificate is not one that this installation knows.',
      );
    }
    return caller;
  }

  function look(socket: TLSSocket): Shown {
    if (isStale(socket)) {
      throw refused('connection-stale', 'The authorities of callers have changed since the connection began.');
    }
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined)
      throw refused('no-credentials', 'The request has no bearer token, and its connection no client certificate.');
    if (!socket.authorized) {
      throw refused('certificate-untrusted', 'The client certificate is not one that this installation trusts.');
    }
    const dates = { from: certificate.validFromDate.getTime(), to: certificate.validToDate.getTime() };
    const seen = { certificate, ...dates };
    shown.set(socket, seen);
    return seen;
  }
}

/** Node keeps the first; whoever stands before it may have looked at the last. */
function isTwice(rawHeaders: readonly string[], name: string): boolean {
  return rawHeaders.filter((one, index) => index % 2 === 0 && one.toLowerCase() === name).length > 1;
}

/** A TLS socket and the connection below it have the same. */
function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

function refused(reason: string, detail: string): CountersignError {
  return new CountersignError('not-authenticated', detail, { evidence: { reason } });
}
