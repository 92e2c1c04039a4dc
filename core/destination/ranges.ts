// The table of address ranges that are not simply public, and why: IANA's special-purpose registries, the cloud's own
// addresses.
import ipaddr from 'ipaddr.js';

/**
 * `public` may be reached by every destination, `private` and `loopback` by those whose network says so, `forbidden` by
 * none.
 */
export type AddressClass = 'public' | 'private' | 'loopback' | 'forbidden';

type Row = readonly [range: string, addressClass: AddressClass, name: string, source: string];

export interface AddressRange {
  readonly range: string;
  readonly prefix: readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
  readonly addressClass: AddressClass;
  /** Goes into a sentence: "10.0.0.1 is <name>". */
  readonly name: string;
  /** The RFC or the document that gives the range its meaning. */
  readonly source: string;
}

/**
 * IANA IPv4 Special-Purpose Address Registry (RFC 6890, RFC 8190) and the multicast space. The first row that holds
 * the address decides. Blocks that the registry calls globally reachable (AS112, AMT, the anycast addresses in
 * 192.0.0.0/24) are refused as well: they are infrastructure, no customer's API.
 */
const v4: readonly Row[] = [
  ['127.0.0.0/8', 'loopback', 'a loopback address', 'RFC 1122, section 3.2.1.3'],
  ['168.63.129.16/32', 'forbidden', 'a cloud metadata address', "Azure's WireServer, in public space"],
  ['100.100.100.200/32', 'forbidden', 'a cloud metadata address', 'Alibaba Cloud, in CGNAT space'],
  ['10.0.0.0/8', 'private', 'a private address', 'RFC 1918'],
  ['172.16.0.0/12', 'private', 'a private address', 'RFC 1918'],
  ['192.168.0.0/16', 'private', 'a private address', 'RFC 1918'],
  ['100.64.0.0/10', 'private', 'a carrier-grade NAT address', 'RFC 6598'],
  ['0.0.0.0/8', 'forbidden', 'an unspecified address', 'RFC 791, section 3.2; RFC 1122, section 3.2.1.3'],
  ['169.254.0.0/16', 'forbidden', 'a link-local address', 'RFC 3927; AWS metadata and credentials are in here'],
  ['192.0.0.0/24', 'forbidden', 'a protocol assignment', 'RFC 6890, 7335, 7600, 7723, 8155, 8880; Oracle: 192.0.0.192'],
  ['192.0.2.0/24', 'forbidden', 'a documentation address', 'RFC 5737'],
  ['192.31.196.0/24', 'forbidden', 'an AS112 address', 'RFC 7535'],
  ['192.52.193.0/24', 'forbidden', 'an AMT address', 'RFC 7450'],
  ['192.88.99.0/24', 'forbidden', 'a 6to4 relay address', 'RFC 7526, RFC 6751'],
  ['192.175.48.0/24', 'forbidden', 'an AS112 address', 'RFC 7534'],
  ['198.18.0.0/15', 'forbidden', 'a benchmarking address', 'RFC 2544'],
  ['198.51.100.0/24', 'forbidden', 'a documentation address', 'RFC 5737'],
  ['203.0.113.0/24', 'forbidden', 'a documentation address', 'RFC 5737'],
  ['224.0.0.0/4', 'forbidden', 'a multicast address', 'RFC 5771'],
  ['255.255.255.255/32', 'forbidden', 'the broadcast address', 'RFC 919, section 7; RFC 8190'],
  ['240.0.0.0/4', 'forbidden', 'a reserved address', 'RFC 1112, section 4'],
  ['0.0.0.0/0', 'public', 'a public address', 'RFC 791'],
];

/**
 * IANA IPv6 Global Unicast Address Assignments, as of 2025-10-09: the blocks with the status ALLOCATED to a regional
 * registry, of which 2410::/12 is the latest (2024-11-01). The rest of 2000::/3 is reserved.
 */
const assigned6 = [
  '2001:200::/23 2001:400::/23 2001:600::/23 2001:800::/22 2001:c00::/23 2001:e00::/23 2001:1200::/23 2001:1400::/22',
  '2001:1800::/23 2001:1a00::/23 2001:1c00::/22 2001:2000::/19 2001:4000::/23 2001:4200::/23 2001:4400::/23',
  '2001:4600::/23 2001:4800::/23 2001:4a00::/23 2001:4c00::/23 2001:5000::/20 2001:8000::/19 2001:a000::/20',
  '2001:b000::/20 2003::/18 2400::/12 2410::/12 2600::/12 2610::/23 2620::/23 2630::/12 2800::/12 2a00::/12 2a10::/12',
  '2c00::/12',
].flatMap((line) => line.split(' '));

/**
 * IANA IPv6 Special-Purpose Address Registry, and the rest of the IPv6 address space: only 2000::/3 was ever given out
 * as global unicast (RFC 4291, section 2.4), so what no row names is refused. IPv4-mapped and NAT64 addresses are
 * judged by the IPv4 address inside before this table is asked. 2001::/23 holds Teredo, ORCHID, DETs, AMT, AS112 and
 * benchmarking. Tunnels that bury an IPv4 address (6to4, Teredo, local NAT64) are refused whatever it is.
 */
const v6: readonly Row[] = [
  ['::1/128', 'loopback', 'a loopback address', 'RFC 4291, section 2.5.3'],
  ['::/128', 'forbidden', 'the unspecified address', 'RFC 4291, section 2.5.2'],
  ['::/96', 'forbidden', 'an IPv4-compatible address', 'RFC 4291, section 2.5.5.1'],
  ['::ffff:0:0:0/96', 'forbidden', 'an IPv4-translated address', 'RFC 2765, section 2.1'],
  ['64:ff9b:1::/48', 'forbidden', 'a local translation address', 'RFC 8215'],
  ['100::/64', 'forbidden', 'a discard-only address', 'RFC 6666'],
  ['100:0:0:1::/64', 'forbidden', 'a dummy address', 'RFC 9780'],
  ['2001::/32', 'forbidden', 'a Teredo address', 'RFC 4380'],
  ['2001::/23', 'forbidden', 'a protocol assignment', 'RFC 2928, 4843, 5180, 7343, 7450, 7535, 7723, 8155, 9374, 9665'],
  ['2001:db8::/32', 'forbidden', 'a documentation address', 'RFC 3849'],
  ['2002::/16', 'forbidden', 'a 6to4 address', 'RFC 3056, RFC 7526'],
  ['2620:4f:8000::/48', 'forbidden', 'an AS112 address', 'RFC 7534'],
  ['3fff::/20', 'forbidden', 'a documentation address', 'RFC 9637'],
  ...assigned6.map((range): Row => [range, 'public', 'a public address', "IANA's IPv6 Global Unicast Assignments"]),
  ['5f00::/16', 'forbidden', 'a segment routing address', 'RFC 9602'],
  ['fd00:ec2::/32', 'forbidden', 'a cloud metadata address', 'AWS: instance metadata, EKS credentials, DNS and time'],
  ['fd20:ce::254/128', 'forbidden', 'a cloud metadata address', 'Google Cloud'],
  ['fd00:c1::a9fe:a9fe/128', 'forbidden', 'a cloud metadata address', 'Oracle Cloud'],
  ['fd00:42::42/128', 'forbidden', 'a cloud metadata address', 'Scaleway'],
  ['fd00:a9fe:a9fe::1/128', 'forbidden', 'a cloud metadata address', 'Akamai Connected Cloud'],
  ['fd00:100::100:200/128', 'forbidden', 'a cloud metadata address', 'Alibaba Cloud'],
  ['fc00::/7', 'private', 'a unique local address', 'RFC 4193'],
  ['fe80::/10', 'forbidden', 'a link-local address', 'RFC 4291, section 2.5.6'],
  ['fec0::/10', 'forbidden', 'a site-local address', 'RFC 3879'],
  ['ff00::/8', 'forbidden', 'a multicast address', 'RFC 4291, section 2.7'],
  ['::/0', 'forbidden', 'a reserved address', "IANA's IPv6 address space: not given out"],
];

/** The last row of each holds every address, so that a search always ends. */
export const ipv4Ranges = v4.map(compile);
export const ipv6Ranges = v6.map(compile);

function compile([range, addressClass, name, source]: Row): AddressRange {
  return { range, prefix: ipaddr.parseCIDR(range), addressClass, name, source };
}
