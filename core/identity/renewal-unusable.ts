// The ways a renewal can be unusable, each with a reason a machine can act on.
import { CountersignError } from '../errors.ts';

/** `evidence.reason` of `renewal-unusable`, besides the names that AWS Private CA gives its errors; docs/errors.md has them. */
export const renewalReasons = [
  'renewal-missing',
  'renewal-malformed',
  'subject-malformed',
  'subject-missing',
  'names-malformed',
  'key-unusable',
  'issuer-settings',
  'authority-arn',
  'not-loopback',
  'local-on-lambda',
] as const;

export type RenewalReason = (typeof renewalReasons)[number];

/** The sentence names the key of the renewal and never quotes what stands there: it may be a password. */
export function renewalUnusable(reason: RenewalReason, sentence: string): CountersignError {
  return new CountersignError('renewal-unusable', sentence, { evidence: { reason } });
}

/** Of `renewal.issuer`, or of what the identity presents to that issuer. */
export function settingUnusable(sentence: string): CountersignError {
  return renewalUnusable('issuer-settings', sentence);
}
