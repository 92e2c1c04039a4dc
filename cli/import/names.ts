// What a certificate is called in a sentence: its subject, and where it was found.
import type { X509Certificate } from 'node:crypto';
import { readCertificateFields } from '../../core/x509/der-reader.ts';
import { readName } from '../../core/x509/distinguished-name.ts';
import type { FoundCertificate } from './contents.ts';

/** `CN=bot, O=Acme`, escaped and cut. */
export function subjectOf(certificate: X509Certificate): string {
  const fields = readCertificateFields(certificate.raw);
  return (fields && readName(fields.subject).text) || 'a certificate without a subject';
}

export function issuerOf(certificate: X509Certificate): string {
  const fields = readCertificateFields(certificate.raw);
  return (fields && readName(fields.issuer).text) || 'an issuer without a name';
}

/** `CN=bot, O=Acme (bot.p12)`. */
export function placeOf({ certificate, source }: FoundCertificate): string {
  return `${subjectOf(certificate)} (${source})`;
}

/** For two of the same subject: `CN=bot (a.pem), SHA-256 EF:20:FB:A3:D9:21:81:DC…`. */
export function fingerprintedPlaceOf(found: FoundCertificate): string {
  return `${placeOf(found)}, SHA-256 ${found.certificate.fingerprint256.slice(0, 23)}…`;
}
