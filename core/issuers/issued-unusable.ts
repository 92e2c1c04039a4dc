// The ways in which what an issuer sent is no use, each with a reason a machine can act on.
import { CountersignError, type Evidence } from '../errors.ts';

/** `evidence.reason` beside those of an identity that is unusable (core/identity/unusable.ts); docs/issuers.md has them. */
export const issuedReasons = [
  'answer-too-large',
  'answer-malformed',
  'key-mismatch',
  'certificate-is-root',
  'chain-incomplete',
  'not-yet-valid',
  'expired',
  'no-client-authentication',
  'is-authority',
  'wrong-subject',
  'names-missing',
  'not-renewed',
  'valid-shorter',
  'issuer-ends-first',
  'handshake-failed',
] as const;

/** `issued-certificate-unusable`; the reason may be one of an unusable identity. The sentence quotes no certificate. */
export function issuedUnusable(reason: string, sentence: string, more: Evidence = {}): CountersignError {
  return new CountersignError('issued-certificate-unusable', sentence, { evidence: { reason, ...more } });
}
