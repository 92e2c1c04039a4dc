// Proves an identity before it is stored: real handshakes in memory with a server that trusts its root and nothing else.
import { X509Certificate } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { connect, createServer, type SecureVersion, type Server, type TLSSocket } from 'node:tls';
import { CountersignError } from '../../functions/errors.ts';
import { checkIdentity } from '../../functions/identity/check.ts';
import type { Identity } from '../../functions/identity/identity.ts';
import type { ImportedDocument } from './identity-from.ts';

/** Nothing waits for a network; what takes longer is a defect. */
const deadlineMs = 10_000;
const greeting = 'countersign';

/**
 * TLS 1.2 and TLS 1.3, each with the client certificate and the intermediates as they would be sent, no port opened. The
 * server's OpenSSL looks at the clock of the machine; `now` (milliseconds since 1970) is the platform's own check's.
 * Throws `identity-unusable`: what the platform would refuse by its own rules (docs/identities.md), and
 * `handshake-failed` with OpenSSL's reason.
 */
export async function prove(document: ImportedDocument, now: number = Date.now()): Promise<void> {
  const stored = { version: 'import', stage: 'AWSPENDING', document: JSON.stringify(document) } as const;
  const identity = checkIdentity('import', stored, now);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const reason = await shakeHands(identity, version);
    if (reason === undefined) continue;
    const sentence = `A server that trusts the root refuses the identity in ${version}: ${reason}.`;
    throw new CountersignError('identity-unusable', sentence, {
      evidence: { reason: 'handshake-failed', where: version },
    });
  }
}

/** Undefined when the server verified the certificate and a word went there and back; otherwise the reason. */
async function shakeHands(identity: Identity, version: SecureVersion): Promise<string | undefined> {
  const [clientEnd, serverEnd] = duplexPair();
  let server: Server;
  let client: TLSSocket;
  try {
    server = createServer({
      // It is the client that is tried: the server borrows its key and certificate, and the client does not look.
      key: identity.privateKey,
      cert: identity.certificate,
      ca: identity.rootCertificate,
      requestCert: true,
      // Judged below, where the reason is known.
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    });
    client = connect({
      socket: clientEnd,
      key: identity.privateKey,
      cert: `${identity.certificate}${identity.intermediateCertificates}`,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    });
  } catch (thrown) {
    return reasonOf(thrown);
  }
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => resolve('the handshake did not end'), deadlineMs);
  server.once('tlsClientError', (error) => resolve(reasonOf(error)));
  server.once('secureConnection', (socket: TLSSocket) => {
    socket.once('error', (error) => resolve(reasonOf(error)));
    const refusal = refusalOf(socket, identity);
    if (refusal) resolve(refusal);
    else socket.pipe(socket);
  });
  client.once('error', (error) => resolve(reasonOf(error)));
  client.once('close', () => resolve('the connection was closed'));
  client.once('data', (data: Buffer) =>
    resolve(data.toString() === greeting ? undefined : 'what came back was not what was sent'),
  );
  client.write(greeting);
  server.emit('connection', serverEnd);
  const reason = await promise;
  clearTimeout(timer);
  client.on('error', () => {});
  client.destroy();
  clientEnd.destroy();
  serverEnd.destroy();
  return reason;
}

function refusalOf(socket: TLSSocket, identity: Identity): string | undefined {
  if (!socket.authorized) return unauthorizedReason(String(socket.authorizationError ?? 'no certificate was sent'));
  const presented = socket.getPeerX509Certificate()?.fingerprint256;
  return presented === new X509Certificate(identity.certificate).fingerprint256
    ? undefined
    : 'another certificate was presented';
}

/** Node has names for the errors of OpenSSL's verification that it knew when it was written; name constraints are not among them. */
function unauthorizedReason(code: string): string {
  return code === 'UNSPECIFIED' ? 'it breaks a rule of X.509 that Node has no name for, name constraints say' : code;
}

/** OpenSSL's words without its place in the source; they name no value of the identity. */
function reasonOf(thrown: unknown): string {
  const { reason, code, message } = thrown as Error & { reason?: string; code?: string };
  return reason ?? code ?? message;
}
