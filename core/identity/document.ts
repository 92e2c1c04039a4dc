// Reads an identity document: the JSON that a secret holds, its keys checked for their form, unknown ones kept.
import * as v from 'valibot';
import type { Destination } from '../destination/destination.ts';
import { destinationsSchema, issueSentence } from '../destination/schema.ts';
import { refuseNearMisses } from './near-miss.ts';
import { unusable } from './unusable.ts';

/** docs/identities.md has each key; PEM is not looked into here. */
export interface IdentityDocument {
  readonly privateKey: string;
  readonly certificate: string;
  /** Empty when absent. */
  readonly intermediateCertificates: string;
  readonly rootCertificate: string;
  readonly destinations: readonly Destination[];
  /** `renewal`, and whatever a later version or the platform itself has put there. */
  readonly [key: string]: unknown;
}

/** AWS Secrets Manager quotas: a secret value has 65,536 bytes at most. A directory is held to the same. */
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

/** The three certificate keys alone, whatever state the rest is in: what is published needs no more. */
export function parseCertificateKeys(
  json: string,
): Record<'certificate' | 'intermediateCertificates' | 'rootCertificate', string> {
  const result = v.safeParse(v.object(certificateKeys, 'is missing'), parseJson(json), { abortEarly: true });
  if (result.success) return result.output;
  throw unusable('document-malformed', 'document', issueSentence(result.issues[0]));
}

/** False of a document that waits for its certificate: it has none of the three keys. */
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
