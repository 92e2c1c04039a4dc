// Parses an identity document (docs/identities.md): JSON whose keys are checked for their form; unknown keys are kept.
import * as v from 'valibot';
import type { Destination } from '../destination/destination.ts';
import { destinationsSchema, issueSentence } from '../destination/schema.ts';
import { unusable } from './unusable.ts';

/** PEM values are not parsed here. */
export interface IdentityDocument {
  readonly privateKey: string;
  readonly certificate: string;
  /** Empty when absent. */
  readonly intermediateCertificates: string;
  readonly rootCertificate: string;
  readonly destinations: readonly Destination[];
  /** `renewal`, and keys that a later version or the platform itself has added. */
  readonly [key: string]: unknown;
}

/** AWS Secrets Manager quotas: a secret value has at most 65,536 bytes. The same limit applies to a directory. */
export const maxDocumentBytes = 65_536;

const textWords = 'must be PEM text';
const text = v.pipe(v.string(textWords), v.nonEmpty('must not be empty'));

const certificateKeys = {
  certificate: text,
  intermediateCertificates: v.exactOptional(v.string(textWords), ''),
  rootCertificate: text,
};

const documentSchema = v.looseObject(
  { privateKey: text, ...certificateKeys, destinations: destinationsSchema },
  'is missing',
);

/** One list for all the identities that leave `destinations` out. */
const anyPublicHost: readonly Destination[] = v.parse(destinationsSchema, undefined);

/** Throws `identity-unusable`; the sentence names the key and what is wrong, and never quotes the document. */
export function parseDocument(json: string): IdentityDocument {
  const parsed = parseJson(json);
  refuseNearMisses(parsed);
  const result = v.safeParse(documentSchema, parsed, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const key = typeof issue.path?.[0]?.key === 'string' ? issue.path[0].key : 'document';
    throw unusable(key === 'destinations' ? 'destinations-malformed' : 'document-malformed', key, issueSentence(issue));
  }
  const isDefault = parsed.destinations === undefined;
  return isDefault ? { ...result.output, destinations: anyPublicHost } : result.output;
}

/** The three certificate keys alone; the others may be damaged. Throws `identity-unusable`. */
export function parseCertificateKeys(
  json: string,
): Record<'certificate' | 'intermediateCertificates' | 'rootCertificate', string> {
  const result = v.safeParse(v.object(certificateKeys, 'is missing'), parseJson(json), { abortEarly: true });
  if (result.success) return result.output;
  throw unusable('document-malformed', 'document', issueSentence(result.issues[0]));
}

/** False if the document has no certificate key yet: it holds a certificate request. */
export function hasCertificates(json: string): boolean {
  const parsed = parseJson(json);
  return Object.keys(certificateKeys).some((key) => Object.hasOwn(parsed, key));
}

function parseJson(json: string): Record<string, unknown> {
  const bytes = Buffer.byteLength(json);
  if (bytes > maxDocumentBytes) {
    const sentence = `The identity document has ${bytes} bytes; ${maxDocumentBytes} is the most.`;
    throw unusable('document-too-large', 'document', sentence);
  }
  let parsed: unknown;
  try {
    // Editors on Windows put a byte order mark first; RFC 8259, section 8.1 lets a parser ignore it.
    parsed = JSON.parse(json.replace(/^\uFEFF/, ''));
  } catch {
    // Without the cause: V8's message quotes the text around the mistake.
    throw unusable('document-malformed', 'document', 'The identity document is not JSON.');
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  throw unusable('document-malformed', 'document', 'The identity document must be a JSON object.');
}

/** docs/identities.md, "The identity document". */
const knownKeys: ReadonlySet<string> = new Set([
  'privateKey',
  'certificate',
  'intermediateCertificates',
  'rootCertificate',
  'destinations',
  'renewal',
]);

/** Typing errors. Names that are meant to differ differ by more. */
const mostEdits = 2;

/**
 * Unknown keys are allowed, but `destination` in place of `destinations` would open the identity to every public host:
 * a key that is nearly a known one is refused. Throws `identity-unusable`, `document-malformed`.
 */
function refuseNearMisses(document: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(document)) {
    const meant = knownKeys.has(key) ? undefined : [...knownKeys].find((known) => isNear(key, known));
    if (meant === undefined) continue;
    const sentence = `${JSON.stringify(key)} is not a key of the document; is ${JSON.stringify(meant)} meant?`;
    throw unusable('document-malformed', key, sentence);
  }
}

function isNear(key: string, known: string): boolean {
  const plain = (name: string) => name.replaceAll(/[-_]/g, '').toLowerCase();
  return (
    (key.length <= 2 * known.length && plain(key) === plain(known)) ||
    (Math.abs(key.length - known.length) <= mostEdits && edits(key, known) <= mostEdits)
  );
}

/** Levenshtein distance: the number of characters to insert, delete or replace. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [at, character] of [...from].entries()) {
    const next = [at + 1];
    for (let index = 1; index <= to.length; index++) {
      const replaced = (row[index - 1] ?? 0) + (character === to[index - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
