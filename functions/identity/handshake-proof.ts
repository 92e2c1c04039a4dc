// Shows an identity to OpenSSL as a server sees it that trusts the root: what no rule of ours looks for is found before a customer finds it.
import { duplexPair } from 'node:stream';
import { connect, createServer } from 'node:tls';

/** PEM, of an identity that has passed checkIdentity. */
export interface PresentedIdentity {
  readonly privateKey: string;
  readonly certificate: string;
  readonly intermediateCertificates: string;
  readonly rootCertificate: string;
}

/** Nothing waits for a network; what takes longer is a defect. */
const deadlineMs = 10_000;

/** Judged by checkIdentity, by a clock that is passed in. */
const datesAlone = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/**
 * One handshake in memory, no port opened: name constraints, extensions and purposes are judged as every server that is built
 * on OpenSSL judges them. Undefined when the certificate is accepted; otherwise a word for the reason, OpenSSL's or Node's, which
 * quotes nothing. Some 5 ms with EC keys.
 */
export async function reasonOfRefusal(identity: PresentedIdentity): Promise<string | undefined> {
  const { privateKey, certificate, intermediateCertificates, rootCertificate } = identity;
  const [clientEnd, serverEnd] = duplexPair();
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => resolve('timeout'), deadlineMs);
  const failed = (thrown: unknown) => resolve(wordFor(thrown));
  try {
    const server = createServer({
      // It is the client that is tried: the server borrows its key and certificate, and the client does not look.
      key: privateKey,
      cert: certificate,
      ca: rootCertificate,
      requestCert: true,
      // Judged below, where the reason is known.
      rejectUnauthorized: false,
    });
    server.once('tlsClientError', failed);
    server.once('secureConnection', (socket) => {
      socket.on('error', failed);
      const reason = socket.authorized ? undefined : String(socket.authorizationError);
      resolve(reason !== undefined && datesAlone.has(reason) ? undefined : reason);
    });
    const cert = `${certificate.trimEnd()}\n${intermediateCertificates}`;
    const client = connect({ socket: clientEnd, key: privateKey, cert, rejectUnauthorized: false });
    client.on('error', failed);
    server.emit('connection', serverEnd);
    return await promise;
  } catch (thrown) {
    return wordFor(thrown);
  } finally {
    clearTimeout(timer);
    clientEnd.destroy();
    serverEnd.destroy();
  }
}

/** One sentence. Node has names for the errors of OpenSSL's verification that it knew when it was written; name constraints are not among them. */
export function refusalSentence(reason: string): string {
  const why = reason === 'UNSPECIFIED' ? 'a rule that Node has no name for, name constraints say' : reason;
  return `A server that trusts the root refuses the certificate: ${why}.`;
}

/** Codes alone: OpenSSL's messages name places in its source. */
function wordFor(thrown: unknown): string {
  const { reason, code } = thrown as { readonly reason?: string; readonly code?: string };
  return code ?? reason ?? 'unknown';
}
