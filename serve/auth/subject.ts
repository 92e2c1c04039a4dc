// The subject of a caller's certificate, compared with the subjects and common names of the callers file.
import type { X509Certificate } from 'node:crypto';
import { readCertificateFields } from '../../core/x509/certificate.ts';
import {
  attributeName,
  exactKey,
  parseName,
  type RelativeName,
  readRelativeNames,
} from '../../core/x509/distinguished-name.ts';

/** A key for looking up the subject in `text` (RFC 4514); undefined if the text is not a name. Values match to the letter. */
export function subjectKey(text: string): string | undefined {
  try {
    return exactKey(parseName(text));
  } catch {
    return undefined;
  }
}

interface SubjectNames {
  readonly key?: string;
  readonly commonName?: string;
}

const known = new WeakMap<X509Certificate, SubjectNames>();

/** `key` as of subjectKey. Read once for each certificate: every request of a connection asks. */
export function namesOf(certificate: X509Certificate): SubjectNames {
  const before = known.get(certificate);
  if (before !== undefined) return before;
  const subject = readCertificateFields(certificate.raw)?.subject;
  const parts = (subject && readRelativeNames(subject)) ?? [];
  const commonName = commonNameOf(parts);
  const names = {
    ...(parts.length > 0 && { key: exactKey(parts) }),
    ...(commonName !== undefined && { commonName }),
  };
  known.set(certificate, names);
  return names;
}

/** Undefined unless there is exactly one. */
function commonNameOf(parts: readonly RelativeName[]): string | undefined {
  const names = parts.flat().filter((attribute) => attributeName(attribute) === 'CN');
  return names.length === 1 ? names[0]?.text : undefined;
}
