// Classifies addresses, including IPv4 addresses embedded in IPv6 addresses.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Network } from './destination.ts';
import { type AddressClass, type AddressRange, ipv4Ranges, ipv6Ranges } from './ranges.ts';

export interface AddressFacts {
  readonly addressClass: AddressClass;
  /** For a sentence: "10.0.0.1 is <name>". */
  readonly name: string;
}

const notAnAddress: AddressFacts = { addressClass: 'forbidden', name: 'not an address' };
const zoned: AddressFacts = { addressClass: 'forbidden', name: 'an address bound to one network interface' };

const mapped = ipaddr.IPv6.parseCIDR('::ffff:0:0/96');
const nat64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

const classesOf: Readonly<Record<Network, readonly AddressClass[]>> = {
  public: ['public'],
  private: ['public', 'private'],
  loopback: ['public', 'private', 'loopback'],
};

/** True if a destination with this `network` can be reached at this address. */
export function isAllowed(address: string, network: Network): boolean {
  return classesOf[network].includes(classifyAddress(address));
}

/** `address` as Node writes addresses (dotted decimal, RFC 4291 text); any other spelling is `forbidden`. */
export function classifyAddress(address: string): AddressClass {
  return describeAddress(address).addressClass;
}

/** The class and its name. */
export function describeAddress(address: string): AddressFacts {
  // A zone (RFC 4007, section 11) makes sense for link-local addresses alone.
  if (address.includes('%')) return zoned;
  const family = isIP(address);
  if (family === 4) return rangeOf(ipaddr.IPv4.parse(address), ipv4Ranges);
  if (family === 6) return describeIPv6(ipaddr.IPv6.parse(inHexadecimal(address)));
  return notAnAddress;
}

/**
 * Without a dotted part: ipaddr.js takes `::8.8.8.8`, which is how inet_ntop writes the IPv4-compatible ::808:808, for
 * the IPv4-mapped ::ffff:808:808.
 */
function inHexadecimal(address: string): string {
  return address.includes('.') ? new URL(`https://[${address}]/`).hostname.slice(1, -1) : address;
}

function describeIPv6(address: ipaddr.IPv6): AddressFacts {
  // The kernel sends IPv4 packets for the first, a NAT64 gateway for the second (RFC 6052, section 2.1).
  if (address.match(mapped)) return embedded(address, 'IPv4-mapped');
  if (address.match(nat64)) return embedded(address, 'NAT64');
  const own = rangeOf(address, ipv6Ranges);
  if (own.addressClass === 'forbidden' || !isIsatap(address)) return own;
  const inner = embedded(address, 'ISATAP');
  return inner.addressClass === 'public' ? own : inner;
}

/**
 * By the last four bytes. Never `loopback`: no valid use needs it in this form, and a filter for the plain form would
 * miss it.
 */
function embedded(address: ipaddr.IPv6, form: string): AddressFacts {
  const inner = rangeOf(new ipaddr.IPv4(address.toByteArray().slice(12)), ipv4Ranges);
  return {
    addressClass: inner.addressClass === 'loopback' ? 'forbidden' : inner.addressClass,
    name: `${inner.name} in ${form} form`,
  };
}

/**
 * Interface identifiers that carry an IPv4 address in their last half (RFC 5214, section 6.1; the u bit either way).
 */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [, , , , high = 0, low = 0] = address.parts;
  return low === 0x5efe && (high & ~0x0200) === 0;
}

function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6, ranges: readonly AddressRange[]): AddressFacts {
  for (const range of ranges) {
    const [prefix, bits] = range.prefix;
    if (address.match(prefix, bits)) return range;
  }
  return notAnAddress;
}
