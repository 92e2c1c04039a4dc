// When two public keys are the same key, whichever way they were written.
import { createPublicKey, type KeyObject } from 'node:crypto';

/** Of a private key, that of its public half. A point of an EC key may be compressed in one place and not in the other. */
export function publicKeyIdentifier(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  try {
    return JSON.stringify(publicKey.export({ format: 'jwk' }));
  } catch {
    // What JWK has no name for: DSA, RSASSA-PSS, a curve of its own.
    return publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  }
}
