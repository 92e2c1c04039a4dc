// Subject alternative names (RFC 5280, section 4.2.1.6): written from text, read from requests and certificates.
import type { X509Certificate } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { escapeForTerminal } from '../escape-for-terminal.ts';
import {
  type DerElement,
  derElement,
  derObjectIdentifier,
  oidOf,
  readElements,
  readInside,
  tag,
  X509Error,
} from './der.ts';
import { oids } from './oids.ts';

/** The context tags of GeneralName. */
const kinds = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
const mostNames = 100;
const mostExtensions = 64;
/** Of a server's certificate, in a report. */
const mostShown = { names: 20, nameLength: 256 } as const;

/** A label can have an underscore, as names of services do. The first label can be the wildcard. */
const dnsName =
  /^(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;
const mailbox = /^[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[a-z0-9.-]{1,253}$/i;

/**
 * DER of the extension, for names such as `dns:…`, `uri:…`, `email:…` or `ip:…`; undefined for an empty list. Throws
 * X509Error `names-malformed`; the sentence quotes nothing.
 */
export function alternativeNamesExtension(names: readonly string[]): Buffer | undefined {
  if (names.length === 0) return undefined;
  if (names.length > mostNames) throw malformed(`names has more than ${mostNames} entries`);
  const generalNames = names.map((name, index) => {
    const found = generalName(name);
    if (found) return found;
    throw malformed(`names[${index}] must be dns:, uri:, email: or ip: and a name of that kind`);
  });
  const value = derElement(tag.sequence, ...generalNames);
  return derElement(tag.sequence, derObjectIdentifier(oids.subjectAltName), derElement(tag.octetString, value));
}

function generalName(name: string): Buffer | undefined {
  const [, kind, value = ''] = /^(dns|uri|email|ip):(.{1,2048})$/s.exec(name) ?? [];
  switch (kind) {
    case 'dns':
      return dnsName.test(value) ? derElement(kinds.dns, Buffer.from(value)) : undefined;
    case 'email':
      return mailbox.test(value) ? derElement(kinds.email, Buffer.from(value)) : undefined;
    case 'uri':
      // RFC 3986, appendix A: an absolute URI of ASCII characters; all others are percent-encoded.
      return /^[a-z][a-z0-9+.-]*:[!#-;=?-[\]_a-z~]+$/i.test(value) && URL.canParse(value)
        ? derElement(kinds.uri, Buffer.from(value))
        : undefined;
    case 'ip':
      return /^[0-9a-f.:]+$/i.test(value) && (ipaddr.IPv4.isValidFourPartDecimal(value) || ipaddr.IPv6.isValid(value))
        ? derElement(kinds.ip, Buffer.from(ipaddr.parse(value).toByteArray()))
        : undefined;
    default:
      return undefined;
  }
}

/** The extension, critical or not, from a list of extensions (DER of the SEQUENCE). */
export function findAlternativeNames(extensions: Buffer): Buffer | undefined {
  return readInside(extensions, tag.sequence, mostExtensions)?.find(
    ({ content }) => oidOf(readElements(content, 3)?.[0]) === oids.subjectAltName,
  )?.whole;
}

/** Each name of the extension as text to compare: host names in lower case, all others byte for byte. */
export function comparableNames(extension: Buffer | undefined): readonly string[] {
  return generalNamesIn(extension).map(({ tag: kind, content, whole }) =>
    kind === kinds.dns ? `dns:${content.toString('latin1').toLowerCase()}` : whole.toString('hex'),
  );
}

/** DNS names, mail addresses, URIs and addresses as text without their kind; other kinds are left out. */
export function plainNames(extension: Buffer | undefined): readonly string[] {
  return generalNamesIn(extension).flatMap(({ tag: kind, content }) => {
    if (kind !== kinds.ip) return isText.has(kind) ? [content.toString('latin1')] : [];
    const isAddress = content.length === 4 || content.length === 16;
    return isAddress ? [ipaddr.fromByteArray([...content]).toString()] : [];
  });
}

const isText = new Set<number>([kinds.email, kinds.dns, kinds.uri]);

function generalNamesIn(extension: Buffer | undefined): readonly DerElement[] {
  const parts = extension && readInside(extension, tag.sequence, 3);
  const value = parts?.find(({ tag: kind }) => kind === tag.octetString);
  return (value && readInside(value.content, tag.sequence, 10 * mostNames)) ?? [];
}

/** The first 20 names of a server's certificate as Node writes them, `DNS:api.acme.example`; escaped and cut. */
export function shownAlternativeNames(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .filter(Boolean)
    .slice(0, mostShown.names)
    .map((name) => escapeForTerminal(name.slice(0, mostShown.nameLength)).slice(0, mostShown.nameLength));
}

function malformed(what: string): X509Error {
  return new X509Error('names-malformed', 'names', `${what}.`);
}
