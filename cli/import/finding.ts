// Findings of an import: a stable code, a severity and one sentence.
import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { UnusableReason } from '../../core/identity/unusable.ts';
import { X509Error } from '../../core/x509/der.ts';

/** An `error` keeps the identity from being imported, a `warning` does not. */
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
  'alias-unknown': 'error',
  'issuer-missing': 'error',
  'root-missing': 'error',
  'public-authority': 'error',
  'handshake-failed': 'error',
  'renewal-malformed': 'error',
  'expires-soon': 'warning',
} as const satisfies Record<string, 'error' | 'warning'>;

/** The codes of this table, and the reasons of `identity-unusable` (docs/identities.md). */
export type ImportFindingCode = keyof typeof table | UnusableReason;

export interface ImportFinding {
  readonly code: ImportFindingCode;
  readonly severity: 'error' | 'warning';
  /** The file and the entry of a keystore, or the subject of a certificate and its file. */
  readonly where: string;
  /** One sentence, safe for a terminal; never a key, a passphrase or the body of a certificate. */
  readonly sentence: string;
}

export const findingCodes = Object.keys(table) as readonly (keyof typeof table)[];

export function finding(code: ImportFindingCode, where: string, sentence: string): ImportFinding {
  const severity = code in table ? table[code as keyof typeof table] : 'error';
  return { code, severity, where: shown(where), sentence: shown(sentence) };
}

/** Thrown where one object cannot be read; `readFiles` turns it into a finding and continues with the next object. */
export function refused(code: ImportFindingCode, where: string, sentence: string): CountersignError {
  return new CountersignError('identity-unusable', sentence, { evidence: { reason: code, where } });
}

/** An error of `refused`, of core/x509 or of core/identity as a finding. Rethrows any other. */
export function findingOf(thrown: unknown): ImportFinding {
  if (thrown instanceof X509Error) {
    const code = thrown.reason === 'too-many-elements' ? 'too-many-objects' : thrown.reason;
    return finding(code as ImportFindingCode, thrown.where, thrown.message);
  }
  if (!(thrown instanceof CountersignError) || thrown.evidence?.reason === undefined) throw thrown;
  const { reason, where } = thrown.evidence;
  return finding(reason as ImportFindingCode, String(where ?? ''), thrown.message);
}

const longest = 1_000;

/** Names of files, entries and certificates come from outside, and go to a terminal. */
export function shown(text: string): string {
  return escapeForTerminal(text.slice(0, longest)).slice(0, longest);
}
