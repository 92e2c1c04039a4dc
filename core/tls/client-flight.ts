// Tells from the size of our second flight whether the server asked for a client certificate, and whether we sent it.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface ClientCertificateUse {
  /** `unknown`: the server did not ask, or asked with no signature algorithm of ours; OpenSSL does not tell which. */
  readonly requested: boolean | 'unknown';
  readonly presented: boolean;
}

/** Bytes that a Certificate and its CertificateVerify take at least; an empty Certificate takes 12 or 30. */
const leastCertificate = 200;

/** `flight`: bytes that we sent after the server's flight. `shared`: the server asked with an algorithm of ours. */
export function certificateUse(tls: TLSSocket, flight: number | undefined, shared: boolean): ClientCertificateUse {
  const known = tls.getProtocol() === 'TLSv1.3' ? bareFlight13(tls) : bareFlight12(tls);
  if (flight === undefined || !known) return { requested: shared || 'unknown', presented: shared };
  const rest = flight - known.bytes;
  if (shared) return { requested: true, presented: rest >= leastCertificate };
  if (!known.isExact) return { requested: 'unknown', presented: false };
  return { requested: rest > changeCipherSpecBytes, presented: false };
}

/** Bytes that the socket has sent or will send: OpenSSL reports the end of TLS 1.3 handshakes before its last write. */
export function bytesOut(socket: Socket, tls: TLSSocket): number | undefined {
  // Node has no public member for the bytes that OpenSSL has made and the socket has not taken yet.
  const { _handle: handle } = tls as { _handle?: { readonly writeQueueSize?: unknown } | null };
  const waiting = handle?.writeQueueSize;
  return typeof waiting === 'number' ? socket.bytesWritten + waiting : undefined;
}

/** A flight without a Certificate and without a ChangeCipherSpec, which some flights have. */
interface BareFlight {
  readonly bytes: number;
  readonly isExact: boolean;
}

const recordHeader = 5;
const messageHeader = 4;
const changeCipherSpecBytes = 6;

/** Finished alone (RFC 8446, sections 4.4.4 and 5.2). A ChangeCipherSpec precedes it, or preceded the second hello. */
function bareFlight13(tls: TLSSocket): BareFlight {
  const verifyData = tls.getCipher().name.endsWith('SHA384') ? 48 : 32;
  return { bytes: recordHeader + messageHeader + verifyData + 1 + 16, isExact: true };
}

/** ClientKeyExchange of ECDHE and Finished (RFC 5246, section 7.3); undefined for a group that is not known here. */
function bareFlight12(tls: TLSSocket): BareFlight | undefined {
  const { name = '' } = tls.getEphemeralKeyInfo() as { name?: string };
  const point = points[name];
  if (point === undefined) return undefined;
  const suite = tls.getCipher().name;
  // RFC 5288, section 3: an explicit nonce of 8. A CBC suite takes up to 32 more or fewer than 64.
  const overhead = /CHACHA20/.test(suite) ? 16 : /GCM/.test(suite) ? 24 : 64;
  const finished = recordHeader + messageHeader + 12 + overhead;
  return { bytes: recordHeader + messageHeader + 1 + point + finished, isExact: overhead !== 64 };
}

/** Bytes of a public key of each group. */
const points: Readonly<Record<string, number>> = {
  X25519: 32,
  X448: 56,
  prime256v1: 65,
  secp384r1: 97,
  secp521r1: 133,
};
