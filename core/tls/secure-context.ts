// TLS contexts: the key and chain of an identity with the trust and TLS versions of a destination.

import { isIP } from 'node:net';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';

/**
 * The suites and groups of every handshake that a client of this program starts: Node's own, without DHE, finite-field
 * groups and RSA key exchange. A server that is not verified yet chooses the size of the numbers in those: DHE with
 * 10,000 bits takes 0.9 s, in which the event loop stands still. OpenSSL 3.5 marks with `*` the groups that it sends a
 * key share for; a list without marks would cost most handshakes a round trip.
 */
export const keyExchange: { readonly ciphers: string; readonly ecdhCurve: string } = {
  ciphers: `${DEFAULT_CIPHERS}:!kRSA:!kDHE`,
  ecdhCurve: hasKeyShareMarks(process.versions.openssl)
    ? '?*X25519MLKEM768/?*X25519:?secp256r1/?X448:?secp384r1:?secp521r1'
    : 'X25519:prime256v1:X448:secp384r1:secp521r1',
};

/** SSL_CTX_set1_groups_list, since OpenSSL 3.5. */
function hasKeyShareMarks(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 5);
}

/**
 * One context for each version of an identity and each of its destinations: key and chain are parsed once for all hosts
 * and handshakes. Client sessions are kept by agent, not by context, so nothing is shared through it.
 */
export function contextOf(identity: Identity, destination: Destination): SecureContext {
  let ofIdentity = contexts.get(identity);
  if (!ofIdentity) {
    ofIdentity = new Map();
    contexts.set(identity, ofIdentity);
  }
  let context = ofIdentity.get(destination);
  if (!context) {
    context = newContext(identity, destination);
    ofIdentity.set(destination, context);
  }
  return context;
}

const contexts = new WeakMap<Identity, Map<Destination, SecureContext>>();

/** The root is never sent: the server has it or does not trust us. */
function newContext(identity: Identity, destination: Destination): SecureContext {
  try {
    return createSecureContext({
      key: identity.privateKey,
      cert: `${identity.certificate.trimEnd()}\n${identity.intermediateCertificates}`,
      minVersion: destination.minTlsVersion,
      maxVersion: destination.maxTlsVersion,
      ...keyExchange,
      // An issuing authority in serverRoots is trusted without the root above it (X509_V_FLAG_PARTIAL_CHAIN).
      ...(destination.serverRoots ? { ca: destination.serverRoots, allowPartialTrustChain: true } : {}),
    });
  } catch (cause) {
    throw new CountersignError('identity-unusable', 'OpenSSL cannot use the key and certificates of the identity.', {
      evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
      cause,
    });
  }
}

/**
 * Node reads its 140 bundled roots at the first context without roots of its own (2 to 5 ms), and compiles the pattern
 * for IPv6 at the first name that could be an address (3 ms); both stay for the process. Measured on Node 24.21.
 */
export async function warmUp(): Promise<void> {
  // The request to the identity store goes first.
  await new Promise(setImmediate);
  createSecureContext();
  isIP('name.example');
}
