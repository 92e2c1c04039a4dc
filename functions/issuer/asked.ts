// What a certificate request asks for, held against the current certificate: issuers that renew copy names, and tokens repeat them.
import { type KeyObject, X509Certificate } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { readCertificateFields, readElements, readInside, readObjectIdentifier, tag } from '../flight/der.ts';
import { sameName } from '../flight/distinguished-name.ts';
import { comparableNames } from './alternative-names.ts';
import { alternativeNamesOf } from './certificate-request.ts';
import { settingUnusable } from './exchange-failure.ts';
import { readCertificateRequest } from './request-fields.ts';

export interface Asked {
  /** DER of the Name. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  /** The extension subjectAltName, DER. */
  readonly alternativeNames: Buffer | undefined;
}

/** PEM of a PKCS#10 request. Throws `renewal-unusable`. */
export function readAsked(certificateRequest: string): Asked {
  const asked = readCertificateRequest(certificateRequest);
  if (asked) return asked;
  throw settingUnusable('The certificate request cannot be read.');
}

/** PEM: the leaf. Throws `renewal-unusable`. */
export function askedBefore(certificate: string): Asked {
  try {
    const { raw, publicKey } = new X509Certificate(certificate);
    const subject = readCertificateFields(raw)?.subject;
    if (subject) return { subject, publicKey, alternativeNames: alternativeNamesOf(raw) };
  } catch {
    // Said below.
  }
  throw settingUnusable('The current certificate cannot be read.');
}

/** The same subject (RFC 5280, section 7.1: Go writes PrintableString where a request had UTF8String), the same alternative names in whatever order. */
export function hasSameNames(one: Asked, other: Asked): boolean {
  const names = ({ alternativeNames }: Asked) => comparableNames(alternativeNames).toSorted().join(' ');
  return sameName(one.subject, other.subject) && names(one) === names(other);
}

const commonName = '2.5.4.3';
const most = { relativeNames: 64, attributes: 16, names: 1000 } as const;

/** The last common name of the subject, in whatever string type (RFC 5280, section 4.1.2.4); undefined when it has none. */
export function commonNameOf({ subject }: Asked): string | undefined {
  return (readInside(subject, tag.sequence, most.relativeNames) ?? [])
    .flatMap(({ content }) => readElements(content, most.attributes) ?? [])
    .map(({ content }) => readElements(content, 2) ?? [])
    .filter(([type, value]) => type && value && readObjectIdentifier(type.content) === commonName)
    .map(([, value]) => stringOf(value?.tag ?? 0, value?.content ?? Buffer.alloc(0)))
    .findLast((text) => text !== '');
}

/** BMPString is the one type in two bytes. */
function stringOf(stringTag: number, content: Buffer): string {
  const bmpString = 0x1e;
  if (stringTag !== bmpString) return content.toString('utf8');
  return Buffer.from(content.subarray(0, content.length & ~1))
    .swap16()
    .toString('utf16le');
}

/** DNS names, mail addresses, URIs and addresses as text without their kind; other kinds are left out. */
export function namesOf({ alternativeNames }: Asked): readonly string[] {
  const parts = alternativeNames && readInside(alternativeNames, tag.sequence, 3);
  const value = parts?.at(-1)?.content ?? Buffer.alloc(0);
  return (readInside(value, tag.sequence, most.names) ?? []).flatMap(({ tag: kind, content }) => {
    if (kind === 0x81 || kind === 0x82 || kind === 0x86) return [content.toString('latin1')];
    return kind === 0x87 && (content.length === 4 || content.length === 16)
      ? [ipaddr.fromByteArray([...content]).toString()]
      : [];
  });
}
