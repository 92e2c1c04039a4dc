// The ways an identity document can be unusable, each with a reason a machine can act on.
import { CountersignError } from '../errors.ts';

/** `evidence.reason` of `identity-unusable`; docs/identities.md has a line for each. */
export const unusableReasons = [
  'document-too-large',
  'document-malformed',
  'destinations-malformed',
  'pem-malformed',
  'certificate-count',
  'certificate-is-root',
  'intermediate-is-self-signed',
  'root-not-self-signed',
  'chain-order',
  'chain-incomplete',
  'issuer-not-authority',
  'path-too-long',
  'key-usage',
  'extended-key-usage',
  'weak-signature',
  'unknown-signature',
  'weak-key',
  'key-type',
  'key-too-large',
  'explicit-curve',
  'not-yet-valid',
  'expired',
  'key-encrypted',
  'key-malformed',
  'key-mismatch',
  'world-writable',
  'handshake-failed',
] as const;

export type UnusableReason = (typeof unusableReasons)[number];

/**
 * `where` is the key of the document (`intermediateCertificates[1]`, say) or the file. The sentence never quotes what
 * stands there: it may be a private key in the wrong place.
 */
export function unusable(reason: UnusableReason, where: string, sentence: string): CountersignError {
  return new CountersignError('identity-unusable', sentence, { evidence: { reason, where } });
}
