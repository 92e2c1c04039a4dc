// Steps 2 to 5: the TLS handshake over an open connection, up to the moment at which the request can be sent.
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import { avoidLegacyCertificate, issuerText, subjectText } from '../x509/certificate.ts';
import type { RequestAttempt } from './attempt.ts';
import { bytesOut, type ClientCertificateUse, certificateUse } from './client-flight.ts';
import { type HandshakeProgress, handshakeFailure, newHandshakeProgress } from './handshake-failure.ts';
import { chainOf, type ServerChain, type ServerExpectation, validUntil, verifyServer } from './server-certificate.ts';
import type { Ticket, TicketStore } from './session-tickets.ts';

interface ServerSummary {
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of the DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** ISO 8601. */
  readonly validTo: string;
}

/** The result of a handshake; one object for all calls on the connection. */
export interface Handshake {
  readonly protocol: string;
  /** The name in IANA's TLS Cipher Suites registry. */
  readonly cipher: string;
  readonly resumed: boolean;
  /** True if the server asked for a client certificate: in this handshake, in the resumed one, or since. */
  asked: boolean;
  /** Of this handshake, of the resumed one, or of a renegotiation. */
  client: ClientCertificateUse;
  /** True once the server is known to have read our Finished, so that it can have read a request too. */
  isFinished: boolean;
  /** TLS 1.2: the server renegotiated since, and OpenSSL does not tell whether it asked. */
  renegotiated?: boolean;
  readonly server: ServerSummary;
}

export interface HandshakeOptions {
  readonly destination: Destination;
  readonly target: Target;
  readonly context: SecureContext;
  /** Fails with `client-certificate-not-requested` if the server does not ask for a client certificate. */
  readonly requireMutual: boolean;
  /** Milliseconds since 1970; the validity dates of certificates are compared with it. */
  readonly now: () => number;
}

/** A diagnosis observes the handshake of a call; everything else is the same. */
export interface HandshakeObserver {
  /** Filled during the handshake, also when it fails. */
  readonly progress: HandshakeProgress;
  /** Starts TLS over the socket, in place of tls.connect. */
  connect(socket: Socket, options: ConnectionOptions): TLSSocket;
  /** Adds what the observer saw on the wire to an error and to the progress it is classified by. */
  explain(error: NodeJS.ErrnoException): { error: NodeJS.ErrnoException; progress: HandshakeProgress };
}

/**
 * Resolves once the first byte of a request can be sent: the server is verified, and it asked for a client certificate
 * if it must. Node verifies the server when the handshake is complete; nothing is written before.
 * Rejects with a CountersignError of step 2, 3, 4 or 5. Without `tickets` the handshake is always a full one.
 */
export function performHandshake(
  socket: Socket,
  options: HandshakeOptions,
  attempt: RequestAttempt,
  tickets?: TicketStore,
  observer?: HandshakeObserver,
): Promise<{ socket: TLSSocket; handshake: Handshake }> {
  const { destination, target, now } = options;
  const { serverPins: pins, serverRoots } = destination;
  const name = destination.serverName ?? target.host;
  const ticket = tickets && validTicket(tickets, now());
  const progress = observer?.progress ?? newHandshakeProgress();
  let verified: ServerChain | undefined;
  if (ticket) Object.assign(progress, { asked: ticket.asked, chain: ticket.chain });
  const tlsOptions: ConnectionOptions = {
    secureContext: options.context,
    // RFC 6066, section 3: literal addresses are not permitted in SNI.
    servername: isIP(name) ? '' : name,
    ALPNProtocols: ['http/1.1'],
    // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED in the environment would otherwise switch verification off.
    rejectUnauthorized: true,
    checkServerIdentity: () => verified && changedCertificate(tls, verified),
    ...(ticket ? { session: ticket.session } : {}),
  };
  const tls: TLSSocket = observer ? observer.connect(socket, tlsOptions) : connect({ ...tlsOptions, socket });
  avoidLegacyCertificate(tls);
  socket.on('error', ignore);

  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      attempt.stop = undefined;
      // An observer closes the connection itself: the client certificate may still be on its way through the recorder.
      if (!observer) tls.destroy();
      // A ticket that led to a failure is not used again.
      tickets?.clear();
      reject(error);
    };
    attempt.stop = () => fail(new CountersignError('handshake-timeout', 'The handshake was abandoned.'));

    let sentBefore = 0;
    tls.prependOnceListener('keylog', () => {
      sentBefore = socket.bytesWritten;
    });
    const clientUse = (): ClientCertificateUse => {
      if (ticket && tls.isSessionReused()) return ticket.client;
      const sent = bytesOut(socket, tls);
      return certificateUse(tls, sent === undefined ? undefined : sent - sentBefore, hasSharedAlgorithm(tls));
    };
    trackServerFlight(tls, progress, attempt, clientUse);
    // Runs before Node's own verification, which destroys the socket when it fails.
    tls.prependOnceListener('secure', () => {
      try {
        const withRoot = observer !== undefined || Boolean(pins?.length);
        progress.chain = chainOf(tls, now(), serverRoots, withRoot) ?? ticket?.chain;
      } catch {
        // conclude() rejects a connection whose certificate cannot be read.
        progress.chain = undefined;
      }
    });
    const onError = (error: NodeJS.ErrnoException) => {
      progress.unverified = tls.authorizationError !== undefined && tls.authorizationError !== null;
      progress.chain ??= presentedChain(tls, now(), serverRoots);
      const seen = observer?.explain(error) ?? { error, progress };
      fail(handshakeFailure(seen.error, seen.progress, { destination, serverName: name }, now));
    };
    tls.once('error', onError).on('error', ignore);
    tls.once('secureConnect', () => {
      tls.off('error', onError);
      try {
        const handshake = conclude(tls, { name, pins, serverRoots }, progress, options, clientUse());
        verified = progress.chain as ServerChain;
        keepTickets(tls, tickets, handshake, verified, now());
        if (!handshake.asked && handshake.protocol === 'TLSv1.2') trackRenegotiation(tls, handshake, progress);
        attempt.stop = undefined;
        resolve({ socket: tls, handshake });
      } catch (error) {
        fail(error);
      }
    });
  });
}

/**
 * Node calls checkServerIdentity after every full handshake on a connection, and destroys the socket if it returns an
 * error. verifyServer checks the first handshake. Later ones are renegotiations (TLS 1.2), and OpenSSL checks their
 * certificate for trust alone: without extended master secret, the man in the middle of a triple handshake would end up
 * between us and the server (RFC 7627, section 1).
 */
function changedCertificate(tls: TLSSocket, [leaf]: ServerChain): CountersignError | undefined {
  if (tls.getPeerX509Certificate()?.raw.equals(leaf.raw)) return undefined;
  return new CountersignError(
    'server-certificate-invalid',
    'The API server presented another certificate in a renegotiation on the same connection.',
    {
      evidence: { reason: certificateChanged, subject: subjectText(leaf) },
      hint: 'The customer must serve one certificate on a connection. If it does, another server interfered with the connection.',
    },
  );
}

/** `reason` of the one failure of step 3 that can come after the request. */
export const certificateChanged = 'certificate-changed';

/** OpenSSL can refuse a certificate before the handshake is complete; undefined if it had not come. */
function presentedChain(tls: TLSSocket, now: number, serverRoots: string | undefined): ServerChain | undefined {
  try {
    return chainOf(tls, now, serverRoots, false);
  } catch {
    return undefined;
  }
}

/**
 * Key log lines hold secrets and are dropped here; their order shows how far OpenSSL got (RFC 9850). When it makes the
 * last keys, it has read the server's whole flight, and knows the signature algorithms of a CertificateRequest.
 * Prepended: a handshake capture overwrites each line once it has read it.
 */
function trackServerFlight(
  tls: TLSSocket,
  progress: HandshakeProgress,
  attempt: RequestAttempt,
  clientUse: () => ClientCertificateUse,
): void {
  tls.prependListener('keylog', function onKeyLog(line: Buffer) {
    if (line.subarray(0, 17).equals(serverHandshakeKeys)) return;
    tls.off('keylog', onKeyLog);
    progress.answered = true;
    if (!hasSharedAlgorithm(tls)) {
      // TLS 1.2: an alert can end the handshake now. Our answer, which has an empty Certificate if the server asked, is
      // written before the event loop goes on.
      if (tls.getProtocol() === 'TLSv1.2') {
        setImmediate(() => {
          if (!tls.destroyed && clientUse().requested === true) progress.asked = true;
        });
      }
      return;
    }
    progress.asked = true;
    attempt.phase = 'verify';
  });
}

/** OpenSSL fills the list from a CertificateRequest alone; without a common algorithm it stays empty. */
function hasSharedAlgorithm(tls: TLSSocket): boolean {
  return tls.getSharedSigalgs().length > 0;
}

/**
 * Apache with SSLVerifyClient on a location asks in a renegotiation that the request starts; a failure after it is
 * about the certificate. The new keys are logged once our answer is complete, before the server verifies it.
 */
function trackRenegotiation(tls: TLSSocket, handshake: Handshake, progress: HandshakeProgress): void {
  tls.on('keylog', () => {
    if (hasSharedAlgorithm(tls)) {
      handshake.asked = progress.askedLate = true;
      handshake.client = { requested: true, presented: true };
      return;
    }
    handshake.renegotiated = progress.renegotiated = true;
    if (handshake.client.requested === false) handshake.client = { requested: 'unknown', presented: false };
  });
}

/** Users of the socket add their own listener; an error in between must not end the process. */
function ignore(): void {}

const serverHandshakeKeys = Buffer.from('SERVER_HANDSHAKE_');

/**
 * A session contains the leaf it began with (ssl/ssl_asn1.c in OpenSSL). The check keeps a chain from being verified in
 * place of the chain of another server.
 */
function validTicket(tickets: TicketStore, now: number): Ticket | undefined {
  const ticket = tickets.take(now);
  if (!ticket || ticket.session.includes(ticket.chain[0].raw)) return ticket;
  tickets.clear();
  return undefined;
}

function conclude(
  tls: TLSSocket,
  expected: ServerExpectation,
  progress: HandshakeProgress,
  { requireMutual, now }: HandshakeOptions,
  client: ClientCertificateUse,
): Handshake {
  const resumed = tls.isSessionReused();
  const protocol = tls.getProtocol() ?? '';
  const asked = resumed ? progress.asked === true : hasSharedAlgorithm(tls);
  progress.asked = asked;
  const { chain } = progress;
  // Fail closed, also for an anonymous suite and a resumed session without a stored chain, which do not occur.
  if (!chain) {
    throw new CountersignError('server-certificate-invalid', 'The certificate of the API server cannot be read.', {
      evidence: { reason: 'unreadable' },
    });
  }
  verifyServer(chain, expected, now());
  if (requireMutual && !asked) {
    throw new CountersignError(
      'client-certificate-not-requested',
      'The API server did not ask for a client certificate, or accepts no signature algorithm of the identity’s key. The call requires mutual TLS.',
      { evidence: { protocol } },
    );
  }
  const [leaf] = chain;
  return {
    protocol,
    cipher: tls.getCipher()?.standardName ?? '',
    resumed,
    asked,
    client,
    // In TLS 1.2 the server ends a full handshake, and we end a resumed one; a resumed one verifies nothing again.
    isFinished: resumed || protocol === 'TLSv1.2',
    server: {
      subject: subjectText(leaf),
      issuer: issuerText(leaf),
      fingerprint256: leaf.fingerprint256,
      validTo: leaf.validToDate.toISOString(),
    },
  };
}

/** Stores each ticket with the chain that was verified when its session began, so that resuming can verify it again. */
function keepTickets(
  tls: TLSSocket,
  tickets: TicketStore | undefined,
  handshake: Handshake,
  chain: ServerChain,
  now: number,
): void {
  const { asked, client, protocol } = handshake;
  const until = validUntil(chain, now);
  const keep = (session: Buffer) => {
    // A server that asks for a certificate makes a ticket only once it has our Finished (RFC 8446, section 4.6.1).
    handshake.isFinished = true;
    tickets?.keep({ session, chain, validUntil: until, asked, client, protocol });
  };
  tls.on('session', keep);
  // The session of TLS 1.2 exists by now; tickets of TLS 1.3 come after the handshake (RFC 8446, section 4.6.1).
  const session = protocol === 'TLSv1.2' ? tls.getSession() : undefined;
  if (session) keep(session);
}
