// The names of a certificate, as it bears them or as a request asks for them: its subject and its alternative names.

import { comparableNames, findAlternativeNames } from './alternative-names.ts';
import { readCertificateFields, readElements, readInside, tag } from './der-reader.ts';
import { sameName } from './distinguished-name.ts';

export interface CertificateNames {
  /** DER of the Name. */
  readonly subject: Buffer;
  /** The extension subjectAltName, DER; undefined where there is none. */
  readonly alternativeNames: Buffer | undefined;
}

/** Of a certificate (DER), byte for byte. Undefined for what is none. */
export function namesOfCertificate(certificate: Buffer): CertificateNames | undefined {
  const subject = readCertificateFields(certificate)?.subject;
  return subject && { subject, alternativeNames: alternativeNamesOf(certificate) };
}

/**
 * The same subject (RFC 5280, section 7.1: Go writes PrintableString where a request had UTF8String), and the same alternative
 * names in whatever order.
 */
export function hasSameNames(one: CertificateNames, other: CertificateNames): boolean {
  const names = ({ alternativeNames }: CertificateNames) => comparableNames(alternativeNames).toSorted().join(' ');
  return sameName(one.subject, other.subject) && names(one) === names(other);
}

/** RFC 5280, section 4.1: the extensions stand behind `[3]`. */
const extensionsTag = 0xa3;

function alternativeNamesOf(certificate: Buffer): Buffer | undefined {
  const [tbs] = readInside(certificate, tag.sequence, 3) ?? [];
  const extensions = readElements(tbs?.content ?? Buffer.alloc(0), 10)?.find(
    ({ tag: found }) => found === extensionsTag,
  );
  return extensions && findAlternativeNames(extensions.content);
}
