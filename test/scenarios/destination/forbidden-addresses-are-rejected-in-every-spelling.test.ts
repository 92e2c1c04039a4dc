// Octal, hexadecimal, short, in other digits, percent-encoded, inside IPv6: a forbidden address is refused in every
// spelling.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../../core/destination/destination.ts';
import { admit } from '../../../core/destination/guard.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import { CountersignError } from '../../../core/errors.ts';

const anywhere: readonly Destination[] = [
  {
    host: '*',
    port: 443,
    minTlsVersion: 'TLSv1.2',
    maxTlsVersion: 'TLSv1.3',
    requireMutual: false,
    network: 'public',
  },
];

function outcome(host: string): string {
  try {
    admit(parseTarget(`https://${host}/latest/meta-data/`), anywhere);
    return 'admitted';
  } catch (error) {
    return error instanceof CountersignError ? error.code : 'exception';
  }
}

/** Network, bits. */
const ranges = [
  [0x7f000000, 24],
  [0xa9fe0000, 16],
  [0x0a000000, 24],
  [0xc0a80000, 16],
  [0xac100000, 20],
  [0x64400000, 22],
  [0xc0000000, 8],
  [0xe0000000, 28],
  [0xf0000000, 28],
  [0x00000000, 24],
] as const;
const address = fc
  .constantFrom(...ranges)
  .chain(([network, bits]) => fc.integer({ min: 0, max: 2 ** bits - 1 }).map((rest) => network + rest));
const refused = fc.oneof(address, fc.constantFrom(0x7f000001, 0xa9fea9fe, 0x646464c8, 0xa83f8110, 0xa9feaa02));

/** One to four numbers, the last of which takes the rest of the bytes (WHATWG URL, section 3.5, IPv4 parser). */
function split(value: number, count: number): number[] {
  const bytes = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
  const last = bytes.slice(count - 1).reduce((sum, byte) => sum * 256 + byte, 0);
  return [...bytes.slice(0, count - 1), last];
}

const writers: readonly ((part: number) => string)[] = [
  (part) => String(part),
  (part) => `0${part.toString(8)}`,
  (part) => `000${part.toString(8)}`,
  (part) => `0x${part.toString(16)}`,
  (part) => `0X00${part.toString(16).toUpperCase()}`,
];

/** Characters that IDNA maps to digits, letters and dots (UTS #46). */
const disguises: Readonly<Record<string, string>> = {
  '0': '０𝟎⓪₀',
  '1': '１𝟏①¹',
  '2': '２𝟐②²',
  '3': '３𝟑③³',
  '4': '４𝟒④⁴',
  '5': '５𝟓⑤⁵',
  '6': '６𝟔⑥⁶',
  '7': '７𝟕⑦⁷',
  '8': '８𝟖⑧⁸',
  '9': '９𝟗⑨⁹',
  x: 'ｘⓧ𝐱',
  a: 'ａⓐ𝐚',
  f: 'ｆⓕ𝐟',
  '.': '。．｡',
};

const ipv4Spelling = fc
  .record({
    value: refused,
    count: fc.integer({ min: 1, max: 4 }),
    write: fc.array(fc.nat(writers.length - 1), { minLength: 4, maxLength: 4 }),
    disguise: fc.array(fc.nat(7), { minLength: 60, maxLength: 60 }),
    dot: fc.boolean(),
  })
  .map(({ value, count, write, disguise, dot }) => {
    const parts = split(value, count).map((part, place) => writers[write[place] ?? 0]?.(part) ?? '');
    const plain = parts.join('.') + (dot ? '.' : '');
    return [...plain]
      .map((character, place) => {
        const choice = disguise[place] ?? 0;
        const others = [...(disguises[character] ?? '')];
        if (choice < others.length) return others[choice];
        return choice === 5
          ? `%${character.charCodeAt(0).toString(16)}`
          : choice === 6
            ? character.toUpperCase()
            : character;
      })
      .join('');
  });

const ipv6Spelling = fc
  .record({
    value: refused,
    form: fc.constantFrom<(dotted: string, hex: string) => string>(
      (dotted) => `[::ffff:${dotted}]`,
      (_, hex) => `[::ffff:${hex}]`,
      (_, hex) => `[0:0:0:0:0:FFFF:${hex.toUpperCase()}]`,
      (dotted) => `[0000::0:ffff:${dotted}]`,
      (dotted) => `[::${dotted}]`,
      (_, hex) => `[64:ff9b::${hex}]`,
      (dotted) => `[0064:FF9B::${dotted}]`,
      (_, hex) => `[64:ff9b:1::${hex}]`,
      (_, hex) => `[2002:${hex}::1]`,
      (_, hex) => `[2001:0:${hex}::1]`,
      (dotted) => `[2600::5efe:${dotted}]`,
      (_, hex) => `[2600:0:0:0:200:5efe:${hex}]`,
      (dotted) => `[::ffff:0:${dotted}]`,
    ),
  })
  .map(({ value, form }) => {
    const hex = [value >>> 16, value & 0xffff].map((group) => group.toString(16)).join(':');
    return form(split(value, 4).join('.'), hex);
  });

describe('every spelling of a forbidden address is refused', () => {
  it('as IPv4', () => {
    fc.assert(
      fc.property(ipv4Spelling, (host) => {
        expect(outcome(host), host).toBe('destination-forbidden');
      }),
      { numRuns: 2000 },
    );
  });

  it('inside IPv6', () => {
    fc.assert(
      fc.property(ipv6Spelling, (host) => {
        expect(outcome(host), host).toBe('destination-forbidden');
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    '①②⑦.⓪.⓪.①',
    '１２７。０。０。１',
    '0x7f.1',
    '017700000001',
    '2852039166',
    '0xa9.0376.43518',
    '0',
    '0x',
    '%31%32%37.0.0.1',
    '169.254.169.254.',
    '[fd00:ec2::254]',
    '[FD00:0EC2:0::0254]',
    '[::]',
    '[0:0::1]',
    '[fe80::a9fe:a9fe]',
  ])('%s', (host) => expect(outcome(host)).toBe('destination-forbidden'));

  it('while a public address is admitted in the same spellings', () => {
    for (const host of ['8.8.8.8', '0x8.0x8.2056', '０１０.8.8.8', '134744072', '[::ffff:8.8.8.8]', '[2600::1]']) {
      expect(outcome(host), host).toBe('admitted');
    }
  });
});
