// The subject of a caller's certificate, as an operator writes it down (RFC 4514) and as the certificate has it.
import type { X509Certificate } from 'node:crypto';
import { readCertificateFields } from '../../core/x509/der-reader.ts';
import { readName } from '../../core/x509/distinguished-name.ts';

interface Attribute {
  /** In capitals: types do not care about case (RFC 4514, section 3). */
  readonly type: string;
  readonly value: string;
}

/** Relative names, the most specific first, each with its attributes sorted: the order inside one does not count. */
export type Subject = readonly (readonly Attribute[])[];

/** Undefined when the text is no name. Blanks around separators do not count; values are compared to the letter. */
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

/** Undefined for one that is longer than a name has any reason to be. */
export function subjectOf(certificate: X509Certificate): Subject | undefined {
  const fields = readCertificateFields(certificate.raw);
  const text = fields && readName(fields.subject).text;
  return text === undefined || text === '' || text.endsWith('…') ? undefined : parseSubject(text);
}

/** Of its subject: read once for each certificate, as a connection asks again with every request. */
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

/** Two subjects are the same exactly when this is. */
export function subjectKey(subject: Subject): string {
  return JSON.stringify(subject.map((attributes) => attributes.map(keyOf)));
}

/** Undefined unless there is exactly one. */
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

/** A blank at the end that is escaped belongs to the value. */
function trimmed(value: string): string {
  const end = value.trimEnd();
  return end.endsWith('\\') && end.length < value.length && /(^|[^\\])(\\\\)*\\$/.test(end) ? `${end} ` : end;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 4514, section 3: `\,` is a comma, `\C3\A9` two bytes of UTF-8. Undefined where the escapes make no text. */
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
