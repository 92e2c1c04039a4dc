// TLS contexts: the key and chain of an identity with the trust and TLS versions of a destination.

import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';

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
      ...(destination.serverRoots ? { ca: destination.serverRoots } : {}),
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
