// The certificates in a response of an issuer, and the error `issued-certificate-unusable` with its reasons.
import { X509Certificate } from 'node:crypto';
import { CountersignError, type Evidence } from '../errors.ts';
import { pemBlocks } from '../x509/pem.ts';

/** `evidence.reason`, besides those of an unusable identity (core/identity/unusable.ts); docs/issuers.md lists them. */
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

/** `reason` may also be one of an unusable identity. `sentence` must quote no certificate. */
export function issuedUnusable(reason: string, sentence: string, more: Evidence = {}): CountersignError {
  return new CountersignError('issued-certificate-unusable', sentence, { evidence: { reason, ...more } });
}

/** A chain, the roots of an authority, and their cross-signed certificates. */
const maxCertificates = 64;

/**
 * The PEM certificates in `texts` as one PEM text; other PEM blocks are ignored. Throws `issued-certificate-unusable`
 * if there is no certificate, or if one cannot be parsed.
 */
export function certificatesIn(texts: readonly string[]): string {
  const blocks = texts.flatMap(certificateBlocks);
  if (blocks.length === 0) throw malformedResponse('contains no certificate');
  if (blocks.length > maxCertificates) {
    throw issuedUnusable(
      'answer-too-large',
      `The response of the issuer contains more than ${maxCertificates} certificates.`,
    );
  }
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch {
      throw malformedResponse('contains a certificate that cannot be parsed');
    }
  }
  return blocks.join('');
}

function certificateBlocks(text: string): string[] {
  try {
    return pemBlocks(text, 'the response')
      .filter(({ label }) => label === 'CERTIFICATE')
      .map((block) => block.text);
  } catch {
    throw malformedResponse('contains a PEM block without an end');
  }
}

/** `fault` follows "The response of the issuer". */
export function malformedResponse(fault: string): CountersignError {
  return issuedUnusable('answer-malformed', `The response of the issuer ${fault}.`);
}
