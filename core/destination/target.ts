// Parses the URL of a caller: the authority by the URL standard, path and query exactly as written.

import { isIP } from 'node:net';
import { BoundedMap } from '../bounded-map.ts';
import { CountersignError } from '../errors.ts';

export interface Target {
  /** ASCII, lower case, no trailing dot, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /**
   * Path and query for the request line, origin-form (RFC 9112, section 3.2.1), byte for byte what the caller wrote.
   */
  readonly path: string;
  /** Value of the Host header (RFC 9110, section 7.2) unless the destination sets another; without the default port. */
  readonly authority: string;
  /** The host, when it is an address in any spelling that the URL standard takes for one. */
  readonly address?: string;
}

/** RFC 9110, section 4.1 asks for 8000 octets at least. */
export const maxUrlLength = 8192;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the URL standard drops them silently; here they are refused
const controlOrSpace = /[\u0000-\u0020\u007f]/;

/** Scheme, authority, path with query, fragment (RFC 3986, appendix B). */
const parts = /^https:\/\/([^/?#]*)([^#]*)(#?)/i;

/**
 * `absolute-path [ "?" query ]` (RFC 3986, sections 3.3 and 3.4). The query may hold plain brackets too, which RFC 3986
 * keeps out but every HTTP client writes (`page[size]=10`).
 */
const originForm =
  /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*(?:\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]]|%[0-9A-Fa-f]{2})*)?$/;

/** Whether it can stand in a request line as it is. */
export function isOriginForm(path: string): boolean {
  return originForm.test(path);
}

/**
 * Throws `invalid-request` for a URL that cannot be sent as written, `destination-forbidden` for another scheme or user
 * information. No message repeats the URL: its query may be secret.
 *
 * The path is split off before the URL standard's parser sees the rest, so no path can shift the authority; what the
 * two could disagree on (backslashes, control characters, missing slashes) is refused.
 */
export function parseTarget(url: string): Target {
  if (url.length > maxUrlLength) throw invalid(`is longer than ${maxUrlLength} characters`);
  if (controlOrSpace.test(url)) throw invalid('holds a space or a control character; it must be percent-encoded');
  if (url.includes('\\')) throw invalid('holds a backslash; it must be percent-encoded');
  const [, rawAuthority, rawPath = '', fragment] = parts.exec(url) ?? [];
  if (rawAuthority === undefined) throw notHttps(url);

  const userInfoEnd = rawAuthority.lastIndexOf('@');
  const authority = parseAuthority(rawAuthority.slice(userInfoEnd + 1));
  if (!authority) throw invalid('has no valid host and port');
  if (userInfoEnd !== -1) {
    throw new CountersignError('destination-forbidden', 'The url carries user information before its host.', {
      hint: 'The caller must remove everything up to the "@"; credentials belong in a header.',
    });
  }
  // A fragment is never sent (RFC 9110, section 7.1): dropping it would lose what was meant as part of the query.
  if (fragment) throw invalid('has a fragment, which is never sent; a "#" in path or query must be written %23');

  const path = rawPath.startsWith('/') ? rawPath : `/${rawPath}`;
  if (!originForm.test(path)) throw invalid('has a path or query with a character that must be percent-encoded');
  const { host, port, text } = authority;
  return authority.isAddress
    ? { host, port, path, authority: text, address: host }
    : { host, port, path, authority: text };
}

/**
 * Value of the Host header. A destination that reaches a name at another host, or at an address, sets `serverName`:
 * then SNI and Host are that name. Servers answer 421 when the two differ (RFC 9110, section 15.5.20).
 */
export function authorityOf({ authority, port }: Target, serverName: string | undefined): string {
  return serverName === undefined ? authority : hostHeader({ host: serverName, port });
}

function hostHeader({ host, port }: Pick<Authority, 'host' | 'port'>): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === 443 ? name : `${name}:${port}`;
}

function notHttps(url: string): CountersignError {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === undefined || protocol === 'https:') return invalid('must be absolute and begin with https://');
  return new CountersignError(
    'destination-forbidden',
    'The url does not begin with https://, the only scheme allowed.',
    {
      hint: 'The caller must use an https URL: an identity is presented over TLS alone.',
    },
  );
}

function invalid(what: string): CountersignError {
  return new CountersignError('invalid-request', `The url ${what}.`, { evidence: { field: 'url' } });
}

export interface Authority {
  /** ASCII, lower case, no trailing dot, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** True when the host is an address, however it was spelled. */
  readonly isAddress: boolean;
  /** As in a Host header: without the default port. */
  readonly text: string;
}

// Characters that would end the authority, begin user info, or that the URL standard silently drops.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be refused
const notInAuthority = /[\u0000-\u0020\u007f/?#@\\]/;

/** Labels as the DNS takes them (RFC 1035, section 2.3.4), underscore included since names in use carry it. */
const dnsName = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/**
 * `example.com`, `example.com:8443`, `[::1]:443`, and every spelling that the URL standard turns into these: other
 * scripts, percent-encoding, octal, hexadecimal and short addresses. Undefined for anything else, and for port 0.
 */
export function parseAuthority(authority: string): Authority | undefined {
  const known = recent.get(authority);
  if (known) return known;
  const parsed = parse(authority);
  if (!parsed) return undefined;
  // Bots call the same few hosts: the URL standard's parser is most of what a call's URL costs.
  recent.set(authority, parsed);
  return parsed;
}

const recent = new BoundedMap<string, Authority>({ maxEntries: 1_000 });

function parse(authority: string): Authority | undefined {
  if (authority === '' || notInAuthority.test(authority)) return undefined;
  const url = URL.parse(`https://${authority}/`);
  if (!url) return undefined;
  const port = url.port === '' ? 443 : Number(url.port);
  const host = plainHost(url.hostname);
  const isAddress = isIP(host) !== 0;
  if (port === 0 || !(isAddress || (host.length <= 253 && dnsName.test(host)))) return undefined;
  return { host, port, isAddress, text: hostHeader({ host, port }) };
}

function plainHost(hostname: string): string {
  if (hostname.startsWith('[')) return hostname.slice(1, -1);
  // The root of the DNS, written out: the same name.
  return hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
}
