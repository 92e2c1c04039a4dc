// Parses and compares the subject of a client certificate, from the callers file (RFC 4514) and from the certificate.
import type { X509Certificate } from 'node:crypto';
import { readCertificateFields } from '../../core/x509/der-reader.ts';
import { readName } from '../../core/x509/distinguished-name.ts';

interface Attribute {
  /** Upper case: types are not case-sensitive (RFC 4514, section 3). */
  readonly type: string;
  readonly value: string;
}

/** Relative distinguished names, the most specific first. The attributes of each are sorted: their order has no meaning. */
export type Subject = readonly (readonly Attribute[])[];

/** Undefined if the text is not a distinguished name. Spaces around separators are ignored; values are case-sensitive. */
export function parseSubject(text: string): Subject | undefined {
  const relativeNames: Attribute[][] = [];
  for (const part of splitUnescaped(text, ',')) {
    const attributes: Attribute[] = [];
    for (const pair of splitUnescaped(part, '+')) {
      const [, type, value] = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*(.*)$/s.exec(pair) ?? [];
      const plain = value === undefined ? undefined : unescaped(trimmed(value));
      if (type === undefined || plain === undefined || plain === '') return undefined;
      attributes.push({ type: type.toUpperCase(), value: plain });
    }
    relativeNames.push(attributes.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1)));
  }
  return relativeNames;
}

/** Undefined for a subject above the length limit of readName(). */
export function subjectOf(certificate: X509Certificate): Subject | undefined {
  const fields = readCertificateFields(certificate.raw);
  const text = fields && readName(fields.subject).text;
  return text === undefined || text === '' || text.endsWith('…') ? undefined : parseSubject(text);
}

/** Keys of its subject, computed once for each certificate: every request of a connection needs them. */
export function namesOf(certificate: X509Certificate): { readonly key?: string; readonly commonName?: string } {
  let names = known.get(certificate);
  if (names === undefined) {
    const subject = subjectOf(certificate);
    const commonName = subject && commonNameOf(subject);
    names = { ...(subject && { key: subjectKey(subject) }), ...(commonName !== undefined && { commonName }) };
    known.set(certificate, names);
  }
  return names;
}

const known = new WeakMap<X509Certificate, ReturnType<typeof namesOf>>();

/** Equal for equal subjects only. */
export function subjectKey(subject: Subject): string {
  return JSON.stringify(subject.map((attributes) => attributes.map(keyOf)));
}

/** Undefined unless there is exactly one common name. */
export function commonNameOf(subject: Subject): string | undefined {
  const names = subject.flat().filter(({ type }) => type === 'CN' || type === '2.5.4.3');
  return names.length === 1 ? names[0]?.value : undefined;
}

function keyOf({ type, value }: Attribute): string {
  return `${type}=${value}`;
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === separator) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** An escaped space at the end is part of the value. */
function trimmed(value: string): string {
  const end = value.trimEnd();
  return end.endsWith('\\') && end.length < value.length && /(^|[^\\])(\\\\)*\\$/.test(end) ? `${end} ` : end;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 4514, section 3: `\,` is a comma, `\C3\A9` two bytes of UTF-8. Undefined if the escapes are not valid UTF-8. */
function unescaped(value: string): string | undefined {
  const bytes: Buffer[] = [];
  for (const [piece] of value.matchAll(/\\[0-9A-Fa-f]{2}|\\.|[^\\]+|\\$/gs)) {
    if (piece === '\\') return undefined;
    if (/^\\[0-9A-Fa-f]{2}$/.test(piece)) bytes.push(Buffer.from(piece.slice(1), 'hex'));
    else if (piece.startsWith('\\')) bytes.push(Buffer.from(piece.slice(1)));
    else if (/["<>;\0]/.test(piece)) return undefined;
    else bytes.push(Buffer.from(piece));
  }
  try {
    return utf8.decode(Buffer.concat(bytes));
  } catch {
    return undefined;
  }
}
