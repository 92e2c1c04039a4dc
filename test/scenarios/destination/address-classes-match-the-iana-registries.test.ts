// A second opinion on every address: Node's BlockList, filled row by row from the IANA registries, must agree
// everywhere.
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyAddress } from '../../../core/destination/address.ts';

/** IANA IPv4 Special-Purpose Address Registry, every row that is neither private nor loopback, then multicast. */
const forbidden4 = [
  '0.0.0.0/8 0.0.0.0/32 169.254.0.0/16 192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32',
  '192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.88.99.2/32',
  '192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 255.255.255.255/32 224.0.0.0/4',
  '100.100.100.200/32 168.63.129.16/32 192.0.0.192/32',
];
const private4 = ['10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10'];
const loopback4 = ['127.0.0.0/8'];

/** IANA IPv6 Special-Purpose Address Registry likewise, then multicast, site-local and the clouds' own addresses. */
const forbidden6 = [
  '::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128',
  '2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16',
  '2620:4f:8000::/48 3fff::/20 5f00::/16 fe80::/10 fec0::/10 ff00::/8',
  'fd00:ec2::/32 fd20:ce::254/128 fd00:c1::a9fe:a9fe/128 fd00:42::42/128 fd00:a9fe:a9fe::1/128 fd00:100::100:200/128',
];
const private6 = ['fc00::/7'];
const loopback6 = ['::1/128'];
/**
 * IANA IPv6 Global Unicast Address Assignments, as of 2025-10-09: rows with the status ALLOCATED to a regional
 * registry. Compared with copies of the registry of 2016, 2024 and 2025.
 */
const globalUnicast6 = [
  '2001:200::/23 2001:400::/23 2001:600::/23 2001:800::/22 2001:c00::/23 2001:e00::/23 2001:1200::/23 2001:1400::/22',
  '2001:1800::/23 2001:1a00::/23 2001:1c00::/22 2001:2000::/19 2001:4000::/23 2001:4200::/23 2001:4400::/23',
  '2001:4600::/23 2001:4800::/23 2001:4a00::/23 2001:4c00::/23 2001:5000::/20 2001:8000::/19 2001:a000::/20',
  '2001:b000::/20 2003::/18 2400::/12 2410::/12 2600::/12 2610::/23 2620::/23 2630::/12 2800::/12 2a00::/12 2a10::/12',
  '2c00::/12',
];

function list(rows: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const blocks = new BlockList();
  for (const row of rows.join(' ').split(' ')) {
    const [network = '', bits] = row.split('/');
    blocks.addSubnet(network, Number(bits), family);
  }
  return blocks;
}

const lists4 = {
  forbidden: list(forbidden4, 'ipv4'),
  private: list(private4, 'ipv4'),
  loopback: list(loopback4, 'ipv4'),
};
const lists6 = {
  forbidden: list(forbidden6, 'ipv6'),
  private: list(private6, 'ipv6'),
  loopback: list(loopback6, 'ipv6'),
  public: list(globalUnicast6, 'ipv6'),
};

function expected4(value: bigint): string {
  const address = text4(value);
  for (const name of ['forbidden', 'private', 'loopback'] as const) {
    if (lists4[name].check(address, 'ipv4')) return name;
  }
  return 'public';
}

function expected6(value: bigint): string {
  const high = value >> 32n;
  const inner = expected4(value & 0xffff_ffffn);
  const innerOrForbidden = inner === 'loopback' ? 'forbidden' : inner;
  if (high === 0xffffn || high === 0x64_ff9b_0000_0000_0000_0000n) return innerOrForbidden;
  const address = groups(value).join(':');
  if (lists6.forbidden.check(address, 'ipv6')) return 'forbidden';
  if (lists6.loopback.check(address, 'ipv6')) return 'loopback';
  let own = 'forbidden';
  for (const name of ['public', 'private'] as const) if (lists6[name].check(address, 'ipv6')) own = name;
  const isIsatap = [0x5efen, 0x200_5efen].includes(high & 0xffff_ffffn);
  return isIsatap && own !== 'forbidden' && innerOrForbidden !== 'public' ? innerOrForbidden : own;
}

function text4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

function groups(value: bigint): string[] {
  return [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((value >> shift) & 0xffffn).toString(16));
}

function bigintOf(address: string): bigint {
  if (!address.includes(':')) return BigInt(`0x${hex4(address)}`);
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = (tail ?? '').split(':').filter(Boolean);
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return BigInt(`0x${[...left, ...middle, ...right].map((group) => group.padStart(4, '0')).join('')}`);
}

function hex4(address: string): string {
  return address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('');
}

/** First and last address of each row, and their neighbours outside. */
function edges(rows: readonly string[], width: bigint): bigint[] {
  const all = rows.join(' ').split(' ');
  return all.flatMap((row) => {
    const [network = '', bits] = row.split('/');
    const first = bigintOf(network);
    const last = first + (1n << (width - BigInt(bits ?? 0))) - 1n;
    return [first - 1n, first, first + 1n, last - 1n, last, last + 1n].filter(
      (value) => value >= 0n && value < 1n << width,
    );
  });
}

/** Addresses inside the rows, as often as addresses anywhere. */
function around(rows: readonly string[], width: bigint): fc.Arbitrary<bigint> {
  const inside = fc.constantFrom(...rows.join(' ').split(' ')).chain((row) => {
    const [network = '', bits] = row.split('/');
    const first = bigintOf(network);
    return fc.bigInt({ min: first, max: first + (1n << (width - BigInt(bits ?? 0))) - 1n });
  });
  return fc.oneof(inside, fc.bigInt({ min: 0n, max: (1n << width) - 1n }));
}

const rows4 = [...forbidden4, ...private4, ...loopback4];
const rows6 = [...forbidden6, ...private6, ...loopback6, ...globalUnicast6];
const carriers = fc
  .tuple(
    fc.constantFrom(
      '::',
      '::ffff:0:0',
      '::ffff:0:0:0',
      '64:ff9b::',
      '64:ff9b:1::',
      '2600::5efe:0:0',
      'fd12::200:5efe:0:0',
    ),
    around(rows4, 32n),
  )
  .map(([carrier, inner]) => bigintOf(carrier) | inner);

describe('the address classes agree with the IANA registries', () => {
  it('at the edges of every IPv4 row', () => {
    for (const value of edges(rows4, 32n)) expect(classifyAddress(text4(value)), text4(value)).toBe(expected4(value));
  });

  it('at the edges of every IPv6 row', () => {
    for (const value of edges(rows6, 128n)) {
      const address = groups(value).join(':');
      expect(classifyAddress(address), address).toBe(expected6(value));
    }
  });

  it.each([
    // Between two blocks, behind the last one of each size, and the rows with the status RESERVED.
    '2001:1000::',
    '2001:11ff:ffff::',
    '2001:4e00::',
    '2001:4fff:ffff::',
    '2001:6000::',
    '2001:7fff:ffff::',
    '2001:c000::',
    '2001:ffff:ffff::',
    '2003:4000::',
    '2004::',
    '23ff:ffff::',
    '2420::',
    '25ff:ffff::',
    '2610:200::',
    '2620:200::',
    '262f:ffff::',
    '2640::',
    '2810::',
    '2a20::',
    '2c10::',
    '2d00::',
    '2e00::',
    '3000::',
    '3ffe::',
  ])('%s is in no block of a regional registry', (address) => {
    expect(classifyAddress(address)).toBe('forbidden');
  });

  it.each([
    ['2001:3c00::', '2019-03-12: 2001:2000::/19 replaces three smaller blocks'],
    ['241f:ffff::', '2410::/12, 2024-11-01'],
    ['263f:ffff::', '2630::/12, 2019-11-06'],
    ['2a1f:ffff::', '2a10::/12, 2019-06-05'],
  ])('%s is public since %s', (address) => {
    expect(classifyAddress(address)).toBe('public');
  });

  it('for IPv4 addresses anywhere', () => {
    fc.assert(
      fc.property(around(rows4, 32n), (value) => classifyAddress(text4(value)) === expected4(value)),
      { numRuns: 2000 },
    );
  });

  it('for IPv6 addresses anywhere, and for IPv4 addresses inside of them', () => {
    fc.assert(
      fc.property(
        fc.oneof(around(rows6, 128n), carriers),
        (value) => classifyAddress(groups(value).join(':')) === expected6(value),
      ),
      { numRuns: 2000 },
    );
  });

  it('however the IPv6 address is written', () => {
    fc.assert(
      fc.property(fc.oneof(around(rows6, 128n), carriers), fc.nat(7), fc.nat(7), fc.boolean(), (value, a, b, upper) => {
        const written = spell6(value, Math.min(a, b), Math.max(a, b), (a + b) % 2 === 0);
        expect(classifyAddress(upper ? written.toUpperCase() : written), written).toBe(expected6(value));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Leading zeros, the last 32 bits in dotted form, and `::` for the groups from..to when they are zero. */
function spell6(value: bigint, from: number, to: number, dotted: boolean): string {
  const all = groups(value).map((group, place) => (place % 2 === from % 2 ? group.padStart(4, '0') : group));
  const written = dotted ? [...all.slice(0, 6), text4(value & 0xffff_ffffn)] : all;
  const end = Math.min(to + 1, dotted ? 6 : 8);
  if (from >= end || !written.slice(from, end).every((group) => /^0+$/.test(group))) return written.join(':');
  return `${written.slice(0, from).join(':')}::${written.slice(end).join(':')}`;
}
