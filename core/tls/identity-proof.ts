// Presents an identity to an OpenSSL server that trusts its root, to find faults that our own rules do not check.
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

/** Milliseconds. No network is involved, so a longer handshake is a defect. */
const deadlineMs = 10_000;
const greeting = 'countersign';

/** checkIdentity checks dates with the clock that is passed in; OpenSSL uses that of the machine. */
const datesAlone = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/**
 * One handshake in memory over TLS 1.2 and one over TLS 1.3, without a port: OpenSSL checks name constraints,
 * extensions and purposes as a server does. Undefined if both finish and echo a word. About 10 ms with EC keys.
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
      // Only the client is tested: the server uses the same key and certificate, and the client does not verify it.
      key: privateKey,
      cert: certificate,
      ca: rootCertificate,
      requestCert: true,
      rejectUnauthorized: false, // reason: refusalOf verifies and gives the reason
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
      rejectUnauthorized: false, // reason: the other end is ours, with the identity's own certificate
      ...versions,
    });
    client.on('error', failed);
    client.once('close', () => resolve('the connection was closed'));
    client.once('data', (data: Buffer) =>
      resolve(data.toString() === greeting ? undefined : 'the echo differs from the sent text'),
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

/** Node has no name for some of OpenSSL's errors, name constraints among them. */
function wordsFor(code: string): string {
  return code === 'UNSPECIFIED'
    ? 'it breaks a rule of X.509 that Node has no name for, such as name constraints'
    : code;
}

/** OpenSSL's reason without its source location; it contains no value of the identity. */
function reasonOf(thrown: unknown): string {
  const { reason, code } = thrown as { readonly reason?: string; readonly code?: string };
  return reason ?? code ?? 'unknown';
}
