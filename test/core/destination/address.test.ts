// The class of an address, example by example, and what each network allows.
import { describe, expect, it } from 'vitest';
import { classifyAddress, describeAddress, isAllowed } from '../../../core/destination/address.ts';
import { ipv4Ranges, ipv6Ranges } from '../../../core/destination/ranges.ts';

const examples = {
  public: [
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '168.63.129.15',
    '223.255.255.255',
    '2600:1f18::1',
    '2a00:1450:4001:82a::200e',
    '2001:200::1',
    '2620:4f:8001::1',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2600::5efe:8.8.8.8',
  ],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.255.255',
    '100.64.0.1',
    '100.127.255.255',
    'fc00::1',
    'fd12:3456:789a::1',
    'fd00:ec1:ffff::1',
    'fd00:ec3::1',
    '::ffff:10.0.0.1',
    '64:ff9b::192.168.1.1',
    '2600::5efe:10.0.0.1',
    'fd12::200:5efe:8.8.8.8',
  ],
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1'],
  forbidden: [
    // Not allocated to a regional registry.
    '2001:1000::1',
    '2001:4e00::1',
    '2003:4000::1',
    '2200::1',
    '2a20::1',
    '2d00::1',
    '3000::1',
    '3ffe:ffff::1',
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '169.254.170.2',
    '192.0.0.192',
    '192.0.0.9',
    '192.0.0.171',
    '100.100.100.200',
    '168.63.129.16',
    '192.88.99.2',
    '198.19.255.255',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::8.8.8.8',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    '::ffff:100.100.100.200',
    '::ffff:0:8.8.8.8',
    '64:ff9b::127.0.0.1',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::8.8.8.8',
    '64:ff9b:0:1::8.8.8.8',
    '100::1',
    '100:0:0:1::1',
    '100:0:0:2::1',
    '2001::1',
    '2001:1::1',
    '2001:2::1',
    '2001:1ff:ffff::1',
    '2001:db8::1',
    '2002:808:808::1',
    '2002:7f00:1::1',
    '3fff:fff::1',
    '4000::1',
    '5f00::1',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:c1::a9fe:a9fe',
    'fd00:42::42',
    'fd00:a9fe:a9fe::1',
    'fd00:100::100:200',
    'fd12::5efe:169.254.169.254',
    '2600::5efe:127.0.0.1',
    '2600::200:5efe:a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
    'fd12::1%1',
    'fec0::1',
    'ff02::1',
    // Not an address as Node writes one: whatever another reader makes of it, it is refused.
    '',
    'localhost',
    '0177.0.0.1',
    '0x7f.1',
    '127.1',
    '2130706433',
    '8.8.8.8 ',
    '8.8.8.8/32',
    '[::1]',
    '1.1.1.1.',
    '１.1.1.1',
    '1:2:3:4:5:6:7',
    '::1::',
  ],
} as const;

describe('the class of an address', () => {
  for (const [addressClass, addresses] of Object.entries(examples)) {
    it.each(addresses)(`%s is ${addressClass}`, (address) => {
      expect(classifyAddress(address)).toBe(addressClass);
    });
  }

  it('has a description that fits into a sentence', () => {
    expect(describeAddress('169.254.169.254').name).toBe('a link-local address');
    expect(describeAddress('::ffff:10.0.0.1').name).toBe('a private address in IPv4-mapped form');
    expect(describeAddress('fe80::1%eth0').name).toBe('an address bound to one network interface');
  });

  it('is that of the first matching row, so a narrower row comes before a wider one', () => {
    for (const ranges of [ipv4Ranges, ipv6Ranges]) {
      for (const [place, { range, prefix }] of ranges.entries()) {
        const [address, bits] = prefix;
        const wider = ranges.slice(0, place).find((row) => row.prefix[1] <= bits && address.match(...row.prefix));
        expect(wider?.range, `${range} is never reached`).toBeUndefined();
      }
    }
  });
});

describe('a network', () => {
  it.each([
    ['public', true, false, false],
    ['private', true, true, false],
    ['loopback', true, true, true],
  ] as const)('%s allows all that the narrower networks allow, and no forbidden address', (network, ...allowed) => {
    expect([isAllowed('1.1.1.1', network), isAllowed('10.0.0.1', network), isAllowed('127.0.0.1', network)]).toEqual(
      allowed,
    );
    for (const address of examples.forbidden) expect(isAllowed(address, network), address).toBe(false);
  });
});
