// The certificates in an issuer's answer, as PEM; whatever else came with them is dropped.
import { X509Certificate } from 'node:crypto';
import { CountersignError } from '../errors.ts';
import { pemBlocks } from '../x509/pem.ts';

/** A chain, the roots of an authority, and the cross-signed ones between two of them. */
const mostCertificates = 64;

/** One PEM text of all certificates in the texts. Throws `issued-certificate-unusable` when there is none, or one that cannot be parsed. */
export function certificatesIn(texts: readonly string[]): string {
  const blocks = texts.flatMap(blocksOf);
  if (blocks.length === 0) throw notCertificates('holds no certificate', 'answer-malformed');
  if (blocks.length > mostCertificates) {
    throw notCertificates(`holds more than ${mostCertificates} certificates`, 'answer-too-large');
  }
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch {
      throw notCertificates('holds a certificate that cannot be parsed', 'answer-malformed');
    }
  }
  return blocks.join('');
}

function blocksOf(text: string): string[] {
  try {
    return pemBlocks(text, 'the answer')
      .filter(({ label }) => label === 'CERTIFICATE')
      .map((block) => block.text);
  } catch {
    throw notCertificates('holds a PEM block that does not end', 'answer-malformed');
  }
}

/** `issued-certificate-unusable`; `what` goes on after "The answer of the issuer". */
export function notCertificates(what: string, reason: string): CountersignError {
  return new CountersignError('issued-certificate-unusable', `The answer of the issuer ${what}.`, {
    evidence: { reason },
  });
}
