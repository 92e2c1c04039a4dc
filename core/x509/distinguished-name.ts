// Distinguished names: one parser and one writer of their text (RFC 4514), and comparison by the rules of RFC 5280.
import {
  type DerElement,
  derElement,
  derObjectIdentifier,
  derSetOf,
  oidOf,
  readElements,
  readInside,
  tag,
  X509Error,
} from './der.ts';

export interface DistinguishedName {
  readonly der: Buffer;
  /** RFC 4514, most specific part first, `, ` between the parts, control characters escaped: `CN=Acme CA, O=Acme`. */
  readonly text: string;
}

export interface NameAttribute {
  /** Object identifier of the type, dotted. */
  readonly oid: string;
  /** Undefined if the value is not a character string. */
  readonly text: string | undefined;
  /** The value as DER; undefined if it was parsed from text. */
  readonly der: Buffer | undefined;
}

/** The attributes of one part of a name; most names have one attribute in each. */
export type RelativeName = readonly NameAttribute[];

interface AttributeType {
  readonly oid: string;
  /** As it is written: RFC 4514, section 3, and what OpenSSL prints for the others. */
  readonly name: string;
  /** Other names that are read. */
  readonly aliases?: readonly string[];
  /** Characters: RFC 5280, appendix A.1, and X.520. */
  readonly most: number;
  readonly tag: number;
}

function type(oid: string, name: string, most: number, more: Partial<AttributeType> = {}): AttributeType {
  return { oid, name, most, tag: tag.utf8String, ...more };
}

const types: readonly AttributeType[] = [
  type('2.5.4.3', 'CN', 64),
  type('2.5.4.4', 'SN', 64, { aliases: ['surname'] }),
  type('2.5.4.5', 'serialNumber', 64, { tag: tag.printableString }),
  type('2.5.4.6', 'C', 2, { tag: tag.printableString }),
  type('2.5.4.7', 'L', 128),
  type('2.5.4.8', 'ST', 128),
  type('2.5.4.9', 'street', 128),
  type('2.5.4.10', 'O', 64),
  type('2.5.4.11', 'OU', 64),
  type('2.5.4.12', 'title', 64),
  type('2.5.4.15', 'businessCategory', 128),
  type('2.5.4.17', 'postalCode', 40),
  type('2.5.4.42', 'GN', 64, { aliases: ['givenName'] }),
  type('2.5.4.46', 'dnQualifier', 64, { tag: tag.printableString }),
  type('2.5.4.97', 'organizationIdentifier', 256),
  type('0.9.2342.19200300.100.1.1', 'UID', 256),
  type('0.9.2342.19200300.100.1.25', 'DC', 63, { tag: tag.ia5String }),
  type('1.2.840.113549.1.9.1', 'emailAddress', 255, { tag: tag.ia5String, aliases: ['E'] }),
];
const typeByOid = new Map(types.map((one) => [one.oid, one]));
const typeByName = new Map(
  types.flatMap((one) => [one.name, ...(one.aliases ?? [])].map((name) => [name.toLowerCase(), one])),
);
const commonName = '2.5.4.3';

/** A name from a hostile server stays small, and so does a line of a report. */
const mostRead = { attributes: 64, characters: 512 } as const;
const mostParsed = { characters: 2_048, attributes: 32, unknownValue: 256 } as const;

/** Name ::= SEQUENCE OF SET OF SEQUENCE { type, value } (RFC 5280, section 4.1.2.4). Undefined for any other bytes. */
export function readRelativeNames(der: Buffer): readonly RelativeName[] | undefined {
  const sets = readInside(der, tag.sequence, mostRead.attributes);
  let attributes = 0;
  const parts: RelativeName[] = [];
  for (const set of sets ?? []) {
    const pairs = set.tag === tag.set ? readElements(set.content, mostRead.attributes) : undefined;
    if (!pairs || pairs.length === 0) return undefined;
    const part: NameAttribute[] = [];
    for (const pair of pairs) {
      const [oid, value, ...rest] = pair.tag === tag.sequence ? (readElements(pair.content, 2) ?? []) : [];
      const dotted = oidOf(oid);
      attributes += 1;
      if (!dotted || !value || rest.length > 0 || attributes > mostRead.attributes) return undefined;
      part.push({ oid: dotted, text: stringOf(value), der: value.whole });
    }
    parts.push(part);
  }
  return sets && parts;
}

/** `CN`, `O`, …; the object identifier of a type that has no short name. */
export function attributeName({ oid }: NameAttribute): string {
  return typeByOid.get(oid)?.name ?? oid;
}

/** The last common name that is a non-empty string, if any. */
export function commonNameOf(der: Buffer): string | undefined {
  const attributes = (readRelativeNames(der) ?? []).flat();
  return attributes.map(({ oid, text }) => (oid === commonName ? text : undefined)).findLast((text) => text);
}

/** Text of at most 512 characters. Bytes that are not a Name are written as `#` and hex. Throws nothing. */
export function readName(der: Buffer): DistinguishedName {
  const parts = readRelativeNames(der);
  // The order inside a part is free (RFC 4514, section 2.2); OpenSSL's RFC 2253 output has the last attribute first.
  const written = (part: RelativeName) => part.map(attributeText).reverse().join('+');
  const text = parts ? parts.map(written).reverse().join(', ') : hexText(der);
  return {
    der,
    text: text.length > mostRead.characters ? `${text.slice(0, mostRead.characters).toWellFormed()}…` : text,
  };
}

function attributeText({ oid, text, der }: NameAttribute): string {
  const name = typeByOid.get(oid)?.name;
  const value = name === undefined || text === undefined ? hexText(der ?? Buffer.alloc(0)) : escapeValue(text);
  return `${name ?? oid}=${value}`;
}

/**
 * RFC 4514, section 2.4. Control characters and those that change the direction of text are escaped too: a server
 * chose the name, and it goes to terminals and logs.
 */
function escapeValue(text: string): string {
  return text
    .toWellFormed()
    .slice(0, mostRead.characters)
    .replace(/[,+"\\<>;]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `\\${hexOf(Buffer.of(byte))}`).join(''),
    );
}

function hexText(der: Buffer): string {
  const shown = der.subarray(0, mostRead.characters / 2);
  return `#${hexOf(shown)}${shown.length < der.length ? '…' : ''}`;
}

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase();
}

/**
 * RFC 5280, section 7.1: parts in the same order; case, kind of string, compatible characters and runs of white space
 * inside strings are ignored. Bytes that are not a Name equal only the same bytes.
 */
export function sameName(one: Buffer, other: Buffer): boolean {
  return one.equals(other) || comparable(one) === comparable(other);
}

/** Equal for two names exactly if sameName is true of them: a key for looking a name up among many. */
export function comparable(der: Buffer): string {
  const parts = readRelativeNames(der);
  if (!parts) return hexOf(der);
  return keyOf(parts, (text) => text.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim());
}

/** Equal for two names exactly if they have the same parts and the same values, to the letter. */
export function exactKey(parts: readonly RelativeName[]): string {
  return keyOf(parts, (text) => text);
}

/** The order inside a part does not count. */
function keyOf(parts: readonly RelativeName[], normalized: (text: string) => string): string {
  const attributeKey = ({ oid, text, der }: NameAttribute) =>
    text === undefined ? `${oid}=#${hexOf(der ?? Buffer.alloc(0))}` : `${oid}="${normalized(text)}`;
  return JSON.stringify(parts.map((part) => part.map(attributeKey).sort()));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** X.509's DirectoryString and the IA5String of addresses; undefined for any other value. */
function stringOf({ tag: kind, content }: DerElement): string | undefined {
  const { numericString, printableString, ia5String, teletexString } = tag;
  // TeletexString is T.61 by the standard; certificates use it for Latin-1.
  if (([numericString, printableString, ia5String, teletexString] as number[]).includes(kind)) {
    return content.toString('latin1');
  }
  if (kind === tag.utf8String) return decodeUtf8(content);
  if (kind === tag.bmpString && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le');
  return undefined;
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The parts in the order of a certificate, so the last of the text first. Spaces (U+0020) around `,`, `+` and `=` are
 * ignored. A type is a short name or an object identifier; a value is text, or `#` and DER in hex. Throws X509Error
 * `subject-malformed`; the sentence begins with "subject" and quotes nothing.
 */
export function parseName(text: string): readonly RelativeName[] {
  if (text.length > mostParsed.characters) throw malformed(`has more than ${mostParsed.characters} characters`);
  const reader = new RegExp(/ *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= *((?:\\.|[^\\,+])*)([,+]?)/suy);
  const parts: NameAttribute[][] = [[]];
  let attributes = 0;
  for (let at = 0, separator = ','; separator !== ''; at = reader.lastIndex) {
    reader.lastIndex = at;
    const match = reader.exec(text);
    if (match === null) throw malformed('must be parts like CN=bot, separated by commas (RFC 4514)');
    attributes += 1;
    if (attributes > mostParsed.attributes) throw malformed(`has more than ${mostParsed.attributes} attributes`);
    const [, kind = '', value = '', end = ''] = match;
    if (separator === ',' && attributes > 1) parts.unshift([]);
    parts[0]?.push(parseAttribute(kind, value));
    separator = end;
    if (separator === '' && reader.lastIndex < text.length) throw malformed('has something after its last part');
  }
  return parts;
}

/**
 * DER of the Name that the text stands for, for a certificate request. Throws as parseName does, and for long values.
 */
export function encodeName(text: string): Buffer {
  return derElement(tag.sequence, ...parseName(text).map((part) => derSetOf(part.map(encodeAttribute))));
}

function parseAttribute(kind: string, value: string): NameAttribute {
  const oid = typeByName.get(kind.toLowerCase())?.oid ?? (isObjectIdentifier(kind) ? kind : undefined);
  if (oid === undefined) throw malformed('names an attribute that is not known; write its OID');
  if (value.startsWith('#')) {
    const element = hexElement(value);
    return { oid, text: stringOf(element), der: element.whole };
  }
  const text = unescapeValue(value);
  if (text === '') throw malformed('has an attribute without a value');
  return { oid, text, der: undefined };
}

function encodeAttribute({ oid, text = '', der }: NameAttribute): Buffer {
  const { tag: kind = tag.utf8String, most = mostParsed.unknownValue } = typeByOid.get(oid) ?? {};
  return derElement(tag.sequence, derObjectIdentifier(oid), der ?? encodeString(text, kind, most));
}

/** X.660: the first arc is 0, 1 or 2; after 0 and 1 the second is below 40. */
function isObjectIdentifier(dotted: string): boolean {
  const arcs = dotted.split('.').map(Number);
  const [first = 9, second = 99] = arcs;
  return first <= 2 && (first === 2 || second < 40) && arcs.every((arc) => arc < 2 ** 31);
}

function hexElement(value: string): DerElement {
  const digits = value.slice(1).replace(/ +$/, '');
  const [element, ...rest] =
    (/^([0-9a-f]{2})+$/i.test(digits) ? readElements(Buffer.from(digits, 'hex'), 1) : undefined) ?? [];
  if (element && rest.length === 0) return element;
  throw malformed('has a #value that is not one element of DER');
}

function encodeString(text: string, kind: number, most: number): Buffer {
  const characters = [...text].length;
  if (characters > most) throw malformed(`has a value of ${characters} characters; ${most} is the most`);
  // X.680, section 41.4: no underscore, no ampersand, no at sign.
  if (kind === tag.printableString && !/^[A-Za-z0-9 '()+,\-./:=?]+$/.test(text)) {
    throw malformed("has a country, serialNumber or dnQualifier with other than letters, digits and '()+,-./:=? in it");
  }
  if (kind === tag.ia5String && !/^[\x20-\x7e]+$/.test(text)) throw malformed('has an address or DC that is not ASCII');
  return derElement(kind, Buffer.from(text));
}

/** RFC 4514, sections 2.4 and 3: a backslash before a special character, or before two hex digits of UTF-8. */
function unescapeValue(value: string): string {
  const bytes: Buffer[] = [];
  // A space (U+0020) before a separator is not part of the value, unless it is escaped.
  for (const [token] of value.replace(/(^|[^\\])((?:\\\\)*) +$/su, '$1$2').matchAll(/\\[0-9a-f]{2}|\\.|[^\\]+/gisu)) {
    if (/^\\[0-9a-f]{2}$/i.test(token)) bytes.push(Buffer.from(token.slice(1), 'hex'));
    else if (/^\\[ "#+,;<=>\\]$/.test(token)) bytes.push(Buffer.from(token.slice(1)));
    else if (/^[^"+,;<>\\\0]+$/u.test(token) && token.isWellFormed()) bytes.push(Buffer.from(token));
    else throw malformed('has a character that needs a backslash before it, or a backslash before one that needs none');
  }
  const text = decodeUtf8(Buffer.concat(bytes));
  if (text === undefined || text.includes('\0')) throw malformed('has escaped bytes that are not UTF-8, or a zero');
  return text;
}

function malformed(what: string): X509Error {
  return new X509Error('subject-malformed', 'subject', `subject ${what}.`);
}
