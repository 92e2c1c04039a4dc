// The authority of a URL, read by the URL standard: host and port in the one spelling that everything else compares.
import { isIP } from 'node:net';
import { BoundedMap } from '../bounded-map.ts';

export interface Authority {
  /** ASCII, lower case, no trailing dot, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** True when the host is an address, however it was spelled. */
  readonly isAddress: boolean;
}

// Characters that would end the authority, begin user info, or that the URL standard silently drops.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be refused
const notInAuthority = /[\u0000-\u0020\u007f/?#@\\]/;

/** Labels as the DNS takes them (RFC 1035, section 2.3.4), underscore included since names in use carry it. */
const dnsName = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/**
 * `example.com`, `example.com:8443`, `[::1]:443`, and every spelling that the URL standard turns into these: other
 * scripts, percent-encoding, octal, hexadecimal and short addresses. Undefined when it is none of them, or port 0.
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
  return { host, port, isAddress };
}

function plainHost(hostname: string): string {
  if (hostname.startsWith('[')) return hostname.slice(1, -1);
  // The root of the DNS, written out: the same name.
  return hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
}
