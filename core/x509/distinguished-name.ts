// Distinguished names: out of DER into words a person can compare, and compared the way RFC 5280 says.

import type { DistinguishedName } from '../tls/handshake-capture/capture.ts';
import { type DerElement, readElements, readInside, readObjectIdentifier, tag } from './der-reader.ts';

/** A name of a hostile server stays small, and so does a line of a report. */
const most = { attributes: 64, characters: 512 } as const;

const commonName = '2.5.4.3';

/** The short names of RFC 4514, section 3, and those that OpenSSL prints for what certificates carry besides. */
const attributeNames = new Map([
  [commonName, 'CN'],
  ['2.5.4.4', 'SN'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'street'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.12', 'title'],
  ['2.5.4.15', 'businessCategory'],
  ['2.5.4.17', 'postalCode'],
  ['2.5.4.42', 'GN'],
  ['2.5.4.46', 'dnQualifier'],
  ['2.5.4.97', 'organizationIdentifier'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['1.2.840.113549.1.9.1', 'emailAddress'],
]);

interface Attribute {
  readonly type: string;
  readonly value: DerElement;
}

/** The last common name that is a string and not empty; undefined when there is none. */
export function commonNameOf(der: Buffer): string | undefined {
  return (readParts(der) ?? [])
    .flat()
    .map(({ type, value }) => (type === commonName ? stringOf(value) : undefined))
    .findLast((text) => text);
}

/** Never fails: what is no Name is shown as `#` and hex, as RFC 4514, section 2.4 shows what has no string form. */
export function readName(der: Buffer): DistinguishedName {
  const parts = readParts(der);
  const text = parts
    ? parts
        .map((attributes) => attributes.map(attributeText).reverse().join('+'))
        .reverse()
        .join(', ')
    : hexText(der);
  const characters = text.length > most.characters ? `${text.slice(0, most.characters).toWellFormed()}…` : text;
  return { der, text: characters };
}

/**
 * RFC 5280, section 7.1: the parts in the same order; within strings, case, the kind of string, compatible characters and
 * runs of white space do not count. What is no Name equals only the same bytes.
 */
export function sameName(one: Buffer, other: Buffer): boolean {
  return one.equals(other) || comparable(one) === comparable(other);
}

/** Two names are the same exactly when this is; to find one of many without comparing each with each. */
export function comparable(der: Buffer): string {
  const parts = readParts(der);
  if (!parts) return hexOf(der);
  return JSON.stringify(parts.map((attributes) => attributes.map(comparableAttribute).sort()));
}

function comparableAttribute({ type, value }: Attribute): string {
  const text = stringOf(value);
  if (text === undefined) return `${type}=#${hexOf(value.whole)}`;
  return `${type}=${text.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim()}`;
}

/** Name ::= SEQUENCE OF SET OF SEQUENCE { type, value } (RFC 5280, section 4.1.2.4). */
function readParts(der: Buffer): Attribute[][] | undefined {
  const sets = readInside(der, tag.sequence, most.attributes);
  let attributes = 0;
  const parts: Attribute[][] = [];
  for (const set of sets ?? []) {
    const pairs = set.tag === tag.set ? readElements(set.content, most.attributes) : undefined;
    if (!pairs || pairs.length === 0) return undefined;
    const part: Attribute[] = [];
    for (const pair of pairs) {
      const [type, value, ...rest] = pair.tag === tag.sequence ? (readElements(pair.content, 2) ?? []) : [];
      const oid = type?.tag === tag.objectIdentifier ? readObjectIdentifier(type.content) : undefined;
      attributes += 1;
      if (!oid || !value || rest.length > 0 || attributes > most.attributes) return undefined;
      part.push({ type: oid, value });
    }
    parts.push(part);
  }
  return sets && parts;
}

function attributeText({ type, value }: Attribute): string {
  const name = attributeNames.get(type);
  const text = stringOf(value);
  return `${name ?? type}=${name === undefined || text === undefined ? hexText(value.whole) : escaped(text)}`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The character strings of X.509's DirectoryString and the IA5String of addresses; undefined for anything else. */
function stringOf({ tag: kind, content }: DerElement): string | undefined {
  const isAscii = kind === 0x13 || kind === 0x16 || kind === 0x12;
  // TeletexString is T.61 by the letter and Latin-1 in every certificate that was ever issued with it.
  if (isAscii || kind === 0x14) return content.toString('latin1');
  if (kind === 0x0c) return decoded(content);
  if (kind === 0x1e && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le');
  return undefined;
}

function decoded(content: Buffer): string | undefined {
  try {
    return utf8.decode(content);
  } catch {
    return undefined;
  }
}

/**
 * RFC 4514, section 2.4. Control characters, and those that turn the direction of the text, are escaped too: the name
 * goes to terminals and logs, and a server chose it.
 */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .slice(0, most.characters)
    .replace(/[,+"\\<>;]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `\\${hexOf(Buffer.of(byte))}`).join(''),
    );
}

function hexText(der: Buffer): string {
  const shown = der.subarray(0, most.characters / 2);
  return `#${hexOf(shown)}${shown.length < der.length ? '…' : ''}`;
}

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase();
}
