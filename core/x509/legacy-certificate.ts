// Keeps a TLS socket away from Node's old form of a certificate, which ends the process on some keys.
import type { TLSSocket } from 'node:tls';

/**
 * `getPeerCertificate(true)` of Node 24.21 dies with SIGSEGV on an EC key whose curve has no NIST name (secp256k1, the
 * brainpool curves), in any certificate that the server sends or that looks like an issuer of its own; and Node calls it
 * for checkServerIdentity after every verified handshake. `getPeerX509Certificate()` is sound. Whoever uses this checks
 * the name of the server itself.
 */
export function avoidLegacyCertificate(tls: TLSSocket): void {
  tls.getPeerCertificate = (() => ({})) as unknown as typeof tls.getPeerCertificate;
}
