// Reads a subject written as text (RFC 4514) into the DER that a certificate request carries.

import type { CountersignError } from '../errors.ts';
import { renewalUnusable } from '../identity/renewal-unusable.ts';
import { readElements } from './der-reader.ts';
import { derElement, derObjectIdentifier, derSetOf, derTag } from './der-writer.ts';

interface AttributeKind {
  readonly oid: string;
  readonly tag: number;
  /** Characters; RFC 5280, appendix A.1, and X.520 for those that are not there. */
  readonly most: number;
}

const { utf8String, printableString, ia5String } = derTag;
const kind = (oid: string, most: number, tag: number = utf8String): AttributeKind => ({ oid, tag, most });
const surname = kind('2.5.4.4', 64);
const givenName = kind('2.5.4.42', 64);
const email = kind('1.2.840.113549.1.9.1', 255, ia5String);

/** By the short name of RFC 4514, section 3, in lower case, and the others that OpenSSL prints. */
const kinds = new Map<string, AttributeKind>([
  ['cn', kind('2.5.4.3', 64)],
  ['sn', surname],
  ['surname', surname],
  ['serialnumber', kind('2.5.4.5', 64, printableString)],
  ['c', kind('2.5.4.6', 2, printableString)],
  ['l', kind('2.5.4.7', 128)],
  ['st', kind('2.5.4.8', 128)],
  ['street', kind('2.5.4.9', 128)],
  ['o', kind('2.5.4.10', 64)],
  ['ou', kind('2.5.4.11', 64)],
  ['title', kind('2.5.4.12', 64)],
  ['businesscategory', kind('2.5.4.15', 128)],
  ['postalcode', kind('2.5.4.17', 40)],
  ['gn', givenName],
  ['givenname', givenName],
  ['dnqualifier', kind('2.5.4.46', 64, printableString)],
  ['organizationidentifier', kind('2.5.4.97', 256)],
  ['uid', kind('0.9.2342.19200300.100.1.1', 256)],
  ['dc', kind('0.9.2342.19200300.100.1.25', 63, ia5String)],
  ['emailaddress', email],
  ['e', email],
]);

const most = { characters: 2_048, attributes: 32, unknownValue: 256 } as const;

/**
 * DER of a Name (RFC 5280, section 4.1.2.4), the last part of the text first. Values are UTF8String, and PrintableString
 * or IA5String where RFC 5280 asks for it; `#` and hex is taken as it stands. Spaces around `,`, `+` and `=` do not count.
 * Throws `renewal-unusable` with the reason `subject-malformed`; the sentence quotes nothing.
 */
export function subjectName(text: string): Buffer {
  if (text.length > most.characters) throw malformed(`has more than ${most.characters} characters`);
  const reader = new RegExp(/\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*((?:\\.|[^\\,+])*)([,+]?)/suy);
  const parts: Buffer[][] = [[]];
  let attributes = 0;
  for (let at = 0, separator = ','; separator !== ''; at = reader.lastIndex) {
    reader.lastIndex = at;
    const match = reader.exec(text);
    if (match === null) throw malformed('must be parts like CN=bot, separated by commas (RFC 4514)');
    attributes += 1;
    if (attributes > most.attributes) throw malformed(`has more than ${most.attributes} attributes`);
    const [, type = '', value = '', end = ''] = match;
    if (separator === ',' && attributes > 1) parts.unshift([]);
    parts[0]?.push(attribute(type, value));
    separator = end;
    if (separator === '' && reader.lastIndex < text.length) throw malformed('has something behind its last part');
  }
  return derElement(derTag.sequence, ...parts.map(derSetOf));
}

function attribute(type: string, value: string): Buffer {
  const known = kinds.get(type.toLowerCase()) ?? [...kinds.values()].find(({ oid }) => oid === type);
  if (!known && !isObjectIdentifier(type)) throw malformed('names an attribute that is not known; write its OID');
  const { oid, tag, most: length } = known ?? { oid: type, tag: utf8String, most: most.unknownValue };
  const encoded = value.startsWith('#') ? hexValue(value) : stringValue(unescaped(value), tag, length);
  return derElement(derTag.sequence, derObjectIdentifier(oid), encoded);
}

/** X.660: the first arc is 0, 1 or 2, and below 0 and 1 the second is below 40. */
function isObjectIdentifier(type: string): boolean {
  const arcs = type.split('.').map(Number);
  const [first = 9, second = 99] = arcs;
  return first <= 2 && (first === 2 ? second < 2 ** 31 : second < 40) && arcs.every((arc) => arc < 2 ** 31);
}

function hexValue(value: string): Buffer {
  const digits = value.slice(1).trimEnd();
  const der = /^([0-9a-f]{2})+$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined;
  if (der === undefined || readElements(der, 1)?.length !== 1)
    throw malformed('has a #value that is not one element of DER');
  return der;
}

function stringValue(text: string, tag: number, length: number): Buffer {
  const characters = [...text].length;
  if (characters === 0) throw malformed('has an attribute without a value');
  if (characters > length) throw malformed(`has a value of ${characters} characters where ${length} are the most`);
  // X.680, section 41.4: no underscore, no ampersand, no at sign.
  if (tag === printableString && !/^[A-Za-z0-9 '()+,\-./:=?]+$/.test(text)) {
    throw malformed("has a country, serialNumber or dnQualifier with other than letters, digits and '()+,-./:=? in it");
  }
  if (tag === ia5String && !/^[\x20-\x7e]+$/.test(text)) throw malformed('has an address or DC that is not ASCII');
  return derElement(tag, Buffer.from(text));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 4514, sections 2.4 and 3: a backslash before a special character, or before two hex digits of UTF-8. */
function unescaped(value: string): string {
  const bytes: Buffer[] = [];
  // The white space before a separator is none of the value, unless it is escaped.
  for (const [token] of value.replace(/(^|[^\\])((?:\\\\)*)\s+$/su, '$1$2').matchAll(/\\[0-9a-f]{2}|\\.|[^\\]+/gisu)) {
    if (/^\\[0-9a-f]{2}$/i.test(token)) bytes.push(Buffer.from(token.slice(1), 'hex'));
    else if (/^\\[ "#+,;<=>\\]$/.test(token)) bytes.push(Buffer.from(token.slice(1)));
    else if (/^[^"+,;<>\\\0]+$/u.test(token) && token.isWellFormed()) bytes.push(Buffer.from(token));
    else
      throw malformed(
        'has a character that must be escaped with a backslash, or a backslash before one that needs none',
      );
  }
  try {
    const text = utf8.decode(Buffer.concat(bytes));
    if (!text.includes('\0')) return text;
  } catch {
    // Not UTF-8: said below.
  }
  throw malformed('has escaped bytes that are not UTF-8, or a zero');
}

function malformed(what: string): CountersignError {
  return renewalUnusable('subject-malformed', `renewal: subject ${what}.`);
}
