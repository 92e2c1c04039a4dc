// Shows an identity to OpenSSL as a server sees it that trusts the root: what no rule of ours looks for is found before a customer finds it.
import { X509Certificate } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { connect, createServer, type SecureVersion, type TLSSocket } from 'node:tls';

/** PEM, of an identity that has passed checkIdentity. */
export interface PresentedIdentity {
  readonly privateKey: string;
  readonly certificate: string;
  readonly intermediateCertificates: string;
  readonly rootCertificate: string;
}

export interface ServerRefusal {
  readonly version: SecureVersion;
  /** One sentence; quotes nothing of the identity. */
  readonly sentence: string;
}

/** Nothing waits for a network; what takes longer is a defect. */
const deadlineMs = 10_000;
const greeting = 'countersign';

/** Judged by checkIdentity, by a clock that is passed in; OpenSSL's is the machine's. */
const datesAlone = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/**
 * One handshake in memory over TLS 1.2 and one over TLS 1.3, no port opened: name constraints, extensions and purposes are
 * judged as every server that is built on OpenSSL judges them. Undefined when both are finished and a word went there and
 * back. Some 10 ms with EC keys.
 */
export async function serverRefusal(identity: PresentedIdentity): Promise<ServerRefusal | undefined> {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const reason = await handshakeIn(identity, version);
    if (reason === undefined) continue;
    return { version, sentence: `A server that trusts the root refuses the identity in ${version}: ${reason}.` };
  }
  return undefined;
}

async function handshakeIn(identity: PresentedIdentity, version: SecureVersion): Promise<string | undefined> {
  const { privateKey, certificate, intermediateCertificates, rootCertificate } = identity;
  const [clientEnd, serverEnd] = duplexPair();
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const failed = (thrown: unknown) => resolve(reasonOf(thrown));
  const timer = setTimeout(() => resolve('the handshake did not end'), deadlineMs);
  const versions = { minVersion: version, maxVersion: version };
  let client: TLSSocket | undefined;
  try {
    const server = createServer({
      // It is the client that is tried: the server borrows its key and certificate, and the client does not look.
      key: privateKey,
      cert: certificate,
      ca: rootCertificate,
      requestCert: true,
      rejectUnauthorized: false, // reason: judged in refusalOf, which says why
      ...versions,
    });
    server.once('tlsClientError', failed);
    server.once('secureConnection', (socket: TLSSocket) => {
      socket.on('error', failed);
      const refusal = refusalOf(socket, certificate);
      if (refusal) resolve(refusal);
      else socket.pipe(socket);
    });
    const cert = `${certificate.trimEnd()}\n${intermediateCertificates}`;
    client = connect({
      socket: clientEnd,
      key: privateKey,
      cert,
      rejectUnauthorized: false, // reason: the other end is ours, and shows the identity's own certificate
      ...versions,
    });
    client.on('error', failed);
    client.once('close', () => resolve('the connection was closed'));
    client.once('data', (data: Buffer) =>
      resolve(data.toString() === greeting ? undefined : 'what came back was not what was sent'),
    );
    client.write(greeting);
    server.emit('connection', serverEnd);
    return await promise;
  } catch (thrown) {
    return reasonOf(thrown);
  } finally {
    clearTimeout(timer);
    client?.destroy();
    clientEnd.destroy();
    serverEnd.destroy();
  }
}

function refusalOf(socket: TLSSocket, certificate: string): string | undefined {
  const reason = socket.authorized ? undefined : String(socket.authorizationError ?? 'no certificate was sent');
  if (reason !== undefined && !datesAlone.has(reason)) return wordsFor(reason);
  const presented = socket.getPeerX509Certificate()?.fingerprint256;
  return presented === new X509Certificate(certificate).fingerprint256
    ? undefined
    : 'another certificate was presented';
}

/** Node has names for the errors of OpenSSL's verification that it knew when it was written; name constraints are not among them. */
function wordsFor(code: string): string {
  return code === 'UNSPECIFIED' ? 'it breaks a rule of X.509 that Node has no name for, name constraints say' : code;
}

/** OpenSSL's words without its place in the source; they name no value of the identity. */
function reasonOf(thrown: unknown): string {
  const { reason, code } = thrown as { readonly reason?: string; readonly code?: string };
  return reason ?? code ?? 'unknown';
}
