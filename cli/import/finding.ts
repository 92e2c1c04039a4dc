// Everything an import can find in what it is given: a stable code, how serious it is, and one sentence for each case.

import { CountersignError } from '../../core/errors.ts';
import type { UnusableReason } from '../../core/identity/unusable.ts';
import { escaped } from '../../core/x509/name-text.ts';

/** What the files themselves can be; an `error` keeps the identity from being imported, a `warning` does not. */
const table = {
  'file-empty': 'error',
  'file-too-large': 'error',
  'file-damaged': 'error',
  'too-many-files': 'error',
  'too-many-objects': 'error',
  'too-many-findings': 'error',
  'nesting-too-deep': 'error',
  'format-unknown': 'error',
  'format-unsupported': 'error',
  'pem-damaged': 'error',
  'certificate-damaged': 'error',
  'key-damaged': 'error',
  'store-damaged': 'error',
  'store-empty': 'error',
  'passphrase-needed': 'error',
  'passphrase-wrong': 'error',
  'encryption-unsupported': 'error',
  'work-too-much': 'error',
  'certificate-request': 'warning',
  'public-key': 'warning',
  'revocation-list': 'warning',
  'secret-key': 'warning',
  'no-key': 'error',
  'no-certificate': 'error',
  'key-without-certificate': 'error',
  'identity-ambiguous': 'error',
  'issuer-missing': 'error',
  'root-missing': 'error',
  'public-authority': 'error',
  'handshake-failed': 'error',
  'renewal-malformed': 'error',
  'expires-soon': 'warning',
} as const satisfies Record<string, 'error' | 'warning'>;

/** The codes of this table, and the reasons for which the platform would call the identity unusable (docs/identities.md). */
export type FindingCode = keyof typeof table | UnusableReason;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: 'error' | 'warning';
  /** The file, with the entry of a keystore; of a certificate its subject and file. Never a value out of it but that. */
  readonly where: string;
  /** One sentence without a key, a passphrase or the body of a certificate in it; safe for a terminal. */
  readonly sentence: string;
}

export const findingCodes = Object.keys(table) as readonly (keyof typeof table)[];

export function finding(code: FindingCode, where: string, sentence: string): Finding {
  const severity = code in table ? table[code as keyof typeof table] : 'error';
  return { code, severity, where: shown(where), sentence: shown(sentence) };
}

/** Thrown inside this room, where one object cannot be read; `readFiles` makes a finding of it and goes on with the next. */
export function refused(code: FindingCode, where: string, sentence: string): CountersignError {
  return new CountersignError('identity-unusable', sentence, { evidence: { reason: code, where } });
}

/** What `refused` and the checks of core/identity throw, as a finding; anything else is thrown on. */
export function findingOf(thrown: unknown): Finding {
  if (!(thrown instanceof CountersignError) || thrown.evidence?.reason === undefined) throw thrown;
  const { reason, where } = thrown.evidence;
  return finding(reason as FindingCode, String(where ?? ''), thrown.message);
}

const longest = 1_000;

/** Names of files, entries and certificates were chosen by somebody else, and go to a terminal. */
export function shown(text: string): string {
  return escaped(text.slice(0, longest)).slice(0, longest);
}
