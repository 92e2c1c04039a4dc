// The contents of files: keys, certificates, findings, and the callback that asks for a passphrase.
import type { KeyObject, X509Certificate } from 'node:crypto';
import { issuerText, subjectText } from '../../core/x509/certificate.ts';
import type { ImportFinding } from './finding.ts';

export interface InputFile {
  /** For sentences; the format is recognised by content alone. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface PassphraseRequest {
  /** The file, or the entry in it: `keys.jks (bot)`. */
  readonly name: string;
  /** `store-key`: the key of an entry whose passphrase differs from that of its keystore. */
  readonly kind: 'key' | 'pkcs12' | 'jks' | 'jceks' | 'store-key';
}

/** Called once for each encrypted file or entry, unless the empty passphrase opens it. Undefined: no passphrase. */
export type AskPassphrase = (forWhat: PassphraseRequest) => Promise<string | undefined>;

export interface FoundKey {
  readonly key: KeyObject;
  /** The file, with the entry of a keystore. */
  readonly source: string;
  /** Names of the entries that hold it; none outside a keystore. */
  readonly aliases: readonly string[];
}

export interface FoundCertificate {
  readonly certificate: X509Certificate;
  readonly source: string;
  readonly aliases: readonly string[];
}

/** Each key and certificate once, in the order in which they were found. */
export interface Contents {
  readonly keys: readonly FoundKey[];
  readonly certificates: readonly FoundCertificate[];
  readonly findings: readonly ImportFinding[];
  /** Sentences about objects that were ignored. */
  readonly notes: readonly string[];
}

export function subjectOf(certificate: X509Certificate): string {
  return subjectText(certificate) || 'a certificate without a subject';
}

export function issuerOf(certificate: X509Certificate): string {
  return issuerText(certificate) || 'an issuer without a name';
}

/** `CN=bot, O=Acme (bot.p12)`. */
export function placeOf({ certificate, source }: FoundCertificate): string {
  return `${subjectOf(certificate)} (${source})`;
}

/** Tells two of the same subject apart: `CN=bot (a.pem), SHA-256 EF:20:FB:A3:D9:21:81:DC…`. */
export function fingerprintedPlaceOf(found: FoundCertificate): string {
  return `${placeOf(found)}, SHA-256 ${found.certificate.fingerprint256.slice(0, 23)}…`;
}
