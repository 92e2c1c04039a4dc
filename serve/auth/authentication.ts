// Authenticates each request: a bearer token, or the client certificate of the connection, looked up in the callers
// file.
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CountersignError } from '../../core/errors.ts';
import { connectionKey } from '../../listener/listen.ts';
import type { Caller, Callers } from './callers.ts';

export interface Authentication {
  /** Must be called for each connection before its TLS handshake. */
  onConnection(socket: Socket): void;
  /** Throws `not-authenticated`; `evidence.reason` says why. */
  callerOf(request: IncomingMessage): Caller;
  /** Whether the client CAs have changed since the handshake: the connection should end with its next answer. */
  isStale(socket: Socket): boolean;
  /** Call it when the client CAs change: open connections must authenticate again. */
  forgetCertificates(): void;
}

/** Shorter tokens can be guessed. */
const tokenPattern = /^Bearer +([A-Za-z0-9\-._~+/]{32,512}=*)$/i;

interface ClientCertificate {
  readonly certificate: X509Certificate;
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** `callers` returns those in force now; `now` in milliseconds since 1970. */
export function createAuthentication(callers: () => Callers, now: () => number = Date.now): Authentication {
  let certificates = new WeakMap<TLSSocket, ClientCertificate>();
  /** Counts the changes of the client CAs. */
  let generation = 0;
  /** By connection: the generation of client CAs that its handshake uses. */
  const handshakes = new Map<string, { readonly generation: number }>();

  return {
    onConnection(socket) {
      const key = connectionKey(socket);
      const handshake = { generation };
      handshakes.set(key, handshake);
      // After a reset, a new connection can have the same ports before the old one emits `close`.
      socket.once('close', () => {
        if (handshakes.get(key) === handshake) handshakes.delete(key);
      });
    },
    callerOf(request) {
      const { authorization } = request.headers;
      if (authorization !== undefined && isRepeated(request.rawHeaders, 'authorization')) {
        throw notAuthenticated('credentials-ambiguous', 'The request has more than one Authorization header.');
      }
      // A token must be valid even if the connection has a valid certificate.
      if (authorization !== undefined) return byToken(authorization);
      if (request.socket instanceof TLSSocket) return byCertificate(request.socket);
      throw notAuthenticated('no-credentials', 'The request has no bearer token.');
    },
    isStale,
    forgetCertificates() {
      generation++;
      certificates = new WeakMap();
    },
  };

  function isStale(socket: Socket): boolean {
    return handshakes.get(connectionKey(socket))?.generation !== generation;
  }

  function byToken(authorization: string): Caller {
    const token = tokenPattern.exec(authorization)?.[1];
    const caller = token === undefined ? undefined : callers().byToken(token);
    if (caller === undefined) {
      throw notAuthenticated('token-unknown', 'The bearer token is not known to this installation.');
    }
    return caller;
  }

  function byCertificate(socket: TLSSocket): Caller {
    const { certificate, validFrom, validTo } = certificates.get(socket) ?? readCertificate(socket);
    const time = now();
    // Checked for each request: a connection or a resumed session can outlive the certificate.
    if (time < validFrom || time > validTo) {
      throw notAuthenticated('certificate-expired', 'The client certificate has expired or is not valid yet.');
    }
    const caller = callers().byCertificate(certificate);
    if (caller === undefined) {
      throw notAuthenticated(
        'subject-unknown',
        'The subject of the client certificate is not known to this installation.',
      );
    }
    return caller;
  }

  function readCertificate(socket: TLSSocket): ClientCertificate {
    if (isStale(socket)) {
      throw notAuthenticated('connection-stale', 'The client CAs have changed since the connection began.');
    }
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      throw notAuthenticated('no-credentials', 'The request has no bearer token, and no client certificate.');
    }
    if (!socket.authorized) {
      throw notAuthenticated('certificate-untrusted', 'The client certificate is not trusted by this installation.');
    }
    const validFrom = certificate.validFromDate.getTime();
    const read = { certificate, validFrom, validTo: certificate.validToDate.getTime() };
    certificates.set(socket, read);
    return read;
  }
}

/** Node uses the first of two headers; a proxy in front may have checked the last. */
function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  return rawHeaders.filter((one, index) => index % 2 === 0 && one.toLowerCase() === name).length > 1;
}

function notAuthenticated(reason: string, detail: string): CountersignError {
  return new CountersignError('not-authenticated', detail, { evidence: { reason } });
}
