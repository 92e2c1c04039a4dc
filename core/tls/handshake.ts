// Steps 2 to 5: the TLS handshake over a connection that stands, up to the moment at which the request may be sent.
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { CountersignError } from '../errors.ts';
import { avoidLegacyCertificate } from '../x509/legacy-certificate.ts';
import { nameText } from '../x509/name-text.ts';
import type { RequestAttempt } from './attempt.ts';
import { type HandshakeProgress, handshakeFailure } from './handshake-failure.ts';
import { chainOf, type ServerChain, type ServerExpectation, validUntil, verifyServer } from './server-certificate.ts';
import type { Ticket, TicketStore } from './session-tickets.ts';

export interface ServerSummary {
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of the DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** ISO 8601. */
  readonly validTo: string;
}

/** What a handshake came to; one object for all calls on the connection. */
export interface Handshake {
  readonly protocol: string;
  /** The name in IANA's TLS Cipher Suites registry. */
  readonly cipher: string;
  readonly resumed: boolean;
  /** True when the server asked for a client certificate: in this handshake, in the one that is resumed, or since. */
  asked: boolean;
  /** The server is known to have read our end of it, so that it may have read a request too. */
  isFinished: boolean;
  readonly server: ServerSummary;
}

export interface HandshakeOptions extends ServerExpectation {
  readonly context: SecureContext;
  /** PEM; the only ones that are trusted when present. */
  readonly serverRoots: string | undefined;
  readonly requireMutual: boolean;
  /** Milliseconds since 1970: what the dates of certificates are held against. */
  readonly now: () => number;
}

/**
 * The socket is ready for the first byte of a request: the server is verified, and it asked for a certificate if it must.
 * Node verifies the server when the handshake is complete; no byte of a request is written before.
 */
export function performHandshake(
  socket: Socket,
  terms: HandshakeOptions,
  tickets: TicketStore,
  attempt: RequestAttempt,
): Promise<{ socket: TLSSocket; handshake: Handshake }> {
  const ticket = soundTicket(tickets, terms);
  const progress: HandshakeProgress = {
    answered: false,
    asked: ticket?.asked ?? false,
    chain: ticket?.chain,
    unverified: false,
    now: terms.now,
  };
  const tls = connect({
    socket,
    secureContext: terms.context,
    // RFC 6066, section 3: literal addresses are not permitted in SNI.
    servername: isIP(terms.name) ? '' : terms.name,
    ALPNProtocols: ['http/1.1'],
    // Said, because NODE_TLS_REJECT_UNAUTHORIZED in the environment would otherwise switch verification off.
    rejectUnauthorized: true,
    // The name is checked by verifyServer, on full and on resumed handshakes alike.
    checkServerIdentity: () => undefined,
    ...(ticket ? { session: ticket.session } : {}),
  });

  avoidLegacyCertificate(tls);
  socket.on('error', ignore);

  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      attempt.stop = undefined;
      tls.destroy();
      // A ticket that led to a failure is not worth a second try.
      tickets.clear();
      reject(error);
    };
    attempt.stop = () => fail(new CountersignError('handshake-timeout', 'The handshake was abandoned.'));

    // Key log lines hold secrets and are dropped; their coming says how far OpenSSL got (RFC 9850). When the last keys are
    // made, the server's whole flight has been read, and its signature algorithms are known if it sent a CertificateRequest.
    tls.on('keylog', function progressed(line: Buffer) {
      if (line.subarray(0, 17).equals(serverHandshakeKeys)) return;
      tls.off('keylog', progressed);
      progress.answered = true;
      progress.asked ||= tls.getSharedSigalgs().length > 0;
    });
    // Runs before Node's own verification, which destroys the socket when it fails.
    tls.prependOnceListener('secure', () => {
      try {
        progress.chain = chainOf(tls, terms.now(), terms.serverRoots, Boolean(terms.pins?.length)) ?? ticket?.chain;
      } catch {
        // A certificate that cannot be read is none: conclude() refuses the connection.
        progress.chain = undefined;
      }
    });
    tls.once('error', (error: NodeJS.ErrnoException) => {
      progress.unverified = tls.authorizationError !== undefined && tls.authorizationError !== null;
      fail(handshakeFailure(error, progress, terms.name));
    });
    tls.once('secureConnect', () => {
      try {
        const handshake = conclude(tls, terms, progress);
        keepTickets(tls, tickets, handshake, progress, terms.now());
        if (!handshake.asked && handshake.protocol === 'TLSv1.2') noteRenegotiation(tls, handshake);
        attempt.stop = undefined;
        tls.removeAllListeners('error').on('error', ignore);
        resolve({ socket: tls, handshake });
      } catch (error) {
        tls.removeAllListeners('error').on('error', ignore);
        fail(error);
      }
    });
  });
}

/**
 * Apache with SSLVerifyClient on a location asks by a renegotiation that the request sets off; what ends the connection
 * then is about the certificate. New keys tell of it once our answer is complete, before the server judges it.
 */
function noteRenegotiation(tls: TLSSocket, handshake: Handshake): void {
  tls.on('keylog', () => {
    handshake.asked ||= tls.getSharedSigalgs().length > 0;
  });
}

/** Whoever uses the socket listens for itself; an error in between must not end the process. */
function ignore(): void {}

const serverHandshakeKeys = Buffer.from('SERVER_HANDSHAKE_');

/**
 * A session holds the leaf it was begun with (ssl/ssl_asn1.c in OpenSSL): a chain that was put beside the session of
 * another server would be verified in that one's place.
 */
function soundTicket(tickets: TicketStore, terms: HandshakeOptions): Ticket | undefined {
  const ticket = tickets.take(terms.now());
  if (!ticket || ticket.session.includes(ticket.chain[0].raw)) return ticket;
  tickets.clear();
  return undefined;
}

function conclude(tls: TLSSocket, terms: HandshakeOptions, progress: HandshakeProgress): Handshake {
  const resumed = tls.isSessionReused();
  const { chain } = progress;
  // Fail closed: an anonymous suite, or a session whose chain nobody kept.
  if (!chain) throw new CountersignError('server-certificate-invalid', 'The API server presented no certificate.');
  verifyServer(chain, terms, terms.now());
  const asked = resumed ? progress.asked : tls.getSharedSigalgs().length > 0;
  progress.asked = asked;
  if (terms.requireMutual && !asked) {
    throw new CountersignError(
      'client-certificate-not-requested',
      // OpenSSL shows only the algorithms that both sides have: of a server that wants none of ours it shows nothing.
      'The API server did not ask for a client certificate, or asked with no signature algorithm that the identity’s key can use; the call demands that it does.',
      { evidence: { protocol: tls.getProtocol() ?? '' } },
    );
  }
  const [leaf] = chain;
  return {
    protocol: tls.getProtocol() ?? '',
    cipher: tls.getCipher()?.standardName ?? '',
    resumed,
    asked,
    // In TLS 1.2 the server ends the handshake, or we do where it is resumed; nothing is verified anew in a resumed one.
    isFinished: resumed || tls.getProtocol() === 'TLSv1.2',
    server: {
      subject: nameText(leaf.subject),
      issuer: nameText(leaf.issuer),
      fingerprint256: leaf.fingerprint256,
      validTo: leaf.validToDate.toISOString(),
    },
  };
}

/** A ticket goes with the chain that was verified when its session began, so that resuming it can verify again. */
function keepTickets(
  tls: TLSSocket,
  tickets: TicketStore,
  handshake: Handshake,
  progress: HandshakeProgress,
  now: number,
): void {
  const chain = progress.chain as ServerChain;
  const { asked, protocol } = handshake;
  const until = validUntil(chain, now);
  const keep = (session: Buffer) => {
    // A server that asks for a certificate makes a ticket only once it has our Finished (RFC 8446, section 4.6.1).
    handshake.isFinished = true;
    const ticket: Ticket = { session, chain, validUntil: until, asked, protocol };
    tickets.keep(ticket);
  };
  tls.on('session', keep);
  // TLS 1.2's session is there already; TLS 1.3's tickets come after the handshake (RFC 8446, section 4.6.1).
  const session = handshake.protocol === 'TLSv1.2' ? tls.getSession() : undefined;
  if (session) keep(session);
}
