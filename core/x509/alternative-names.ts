// Subject alternative names: written out of `renewal.names`, and read out of requests and certificates (RFC 5280, section 4.2.1.6).
import ipaddr from 'ipaddr.js';
import type { CountersignError } from '../errors.ts';
import { renewalUnusable } from '../identity/renewal-unusable.ts';
import { type DerElement, readElements, readInside, readObjectIdentifier, tag } from './der-reader.ts';
import { derElement, derObjectIdentifier, derTag } from './der-writer.ts';

const subjectAltName = '2.5.29.17';
/** The context tags of GeneralName. */
const kinds = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
const mostNames = 100;
const mostExtensions = 64;

/** A label may hold an underscore: names of services do. The first may be the wildcard. */
const dnsName =
  /^(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;
const mailbox = /^[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[a-z0-9.-]{1,253}$/i;

/**
 * The extension, DER, for names as `dns:…`, `uri:…`, `email:…` or `ip:…`; undefined for none. Throws `renewal-unusable`
 * with the reason `names-malformed`; the sentence quotes nothing.
 */
export function alternativeNamesExtension(names: readonly string[]): Buffer | undefined {
  if (names.length === 0) return undefined;
  if (names.length > mostNames) throw malformed(`names has more than ${mostNames} entries`);
  const generalNames = names.map((name, index) => {
    const found = generalName(name);
    if (found) return found;
    throw malformed(`names[${index}] must be dns:, uri:, email: or ip: and a name of that kind`);
  });
  const value = derElement(derTag.sequence, ...generalNames);
  return derElement(derTag.sequence, derObjectIdentifier(subjectAltName), derElement(derTag.octetString, value));
}

function generalName(name: string): Buffer | undefined {
  const [, kind, value = ''] = /^(dns|uri|email|ip):(.{1,2048})$/s.exec(name) ?? [];
  switch (kind) {
    case 'dns':
      return dnsName.test(value) ? derElement(kinds.dns, Buffer.from(value)) : undefined;
    case 'email':
      return mailbox.test(value) ? derElement(kinds.email, Buffer.from(value)) : undefined;
    case 'uri':
      // RFC 3986, appendix A: ASCII, absolute, and what other characters there are is percent-encoded.
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

/** The extension as it stands in a list of extensions (DER of the SEQUENCE), whether critical or not. */
export function findAlternativeNames(extensions: Buffer): Buffer | undefined {
  return readInside(extensions, tag.sequence, mostExtensions)?.find(({ content }) => {
    const [oid] = readElements(content, 3) ?? [];
    return oid?.tag === tag.objectIdentifier && readObjectIdentifier(oid.content) === subjectAltName;
  })?.whole;
}

/** Each name of the extension, comparable as text: host names in lower case, everything else byte for byte. */
export function comparableNames(extension: Buffer | undefined): readonly string[] {
  return generalNamesIn(extension).map(({ tag: found, content, whole }) =>
    found === kinds.dns ? `dns:${content.toString('latin1').toLowerCase()}` : whole.toString('hex'),
  );
}

/** DNS names, mail addresses, URIs and addresses as text without their kind; other kinds are left out. */
export function plainNames(extension: Buffer | undefined): readonly string[] {
  return generalNamesIn(extension).flatMap(({ tag: found, content }) => {
    if (found !== kinds.ip) return isText.has(found) ? [content.toString('latin1')] : [];
    const isAddress = content.length === 4 || content.length === 16;
    return isAddress ? [ipaddr.fromByteArray([...content]).toString()] : [];
  });
}

const isText = new Set<number>([kinds.email, kinds.dns, kinds.uri]);

function generalNamesIn(extension: Buffer | undefined): readonly DerElement[] {
  const parts = extension && readInside(extension, tag.sequence, 3);
  const value = parts?.find(({ tag: found }) => found === derTag.octetString);
  return (value && readInside(value.content, tag.sequence, 10 * mostNames)) ?? [];
}

function malformed(what: string): CountersignError {
  return renewalUnusable('names-malformed', `renewal: ${what}.`);
}
