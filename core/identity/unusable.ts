// Errors of an identity document and of its renewal: a closed list of reasons for each.
import { CountersignError } from '../errors.ts';
import { X509Error } from '../x509/der.ts';

/** `evidence.reason` of `identity-unusable`; docs/identities.md explains each. */
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
 * `where` is the key of the document (`intermediateCertificates[1]`) or the file. The sentence must not quote the
 * value: it may be a private key in the wrong place.
 */
export function unusable(reason: UnusableReason, where: string, sentence: string): CountersignError {
  return new CountersignError('identity-unusable', sentence, { evidence: { reason, where } });
}

/** Runs `read`; an X509Error with a reason of the list above becomes `identity-unusable`. */
export function orUnusable<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const reason = thrown instanceof X509Error ? unusableReasons.find((one) => one === thrown.reason) : undefined;
    throw thrown instanceof X509Error && reason ? unusable(reason, thrown.where, thrown.message) : thrown;
  }
}

/**
 * `evidence.reason` of `renewal-unusable`, besides the names of AWS Private CA's errors; docs/errors.md explains each.
 */
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

/** The sentence names the key of the renewal and must not quote its value: it may be a password. */
export function renewalUnusable(reason: RenewalReason, sentence: string): CountersignError {
  return new CountersignError('renewal-unusable', sentence, { evidence: { reason } });
}

/** For `renewal.issuer`, and for the certificate that the identity presents to that issuer. */
export function settingUnusable(sentence: string): CountersignError {
  return renewalUnusable('issuer-settings', sentence);
}
