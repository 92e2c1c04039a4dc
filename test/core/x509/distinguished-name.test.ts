// Distinguished names: read as OpenSSL reads them, safe to print, compared by the rules of RFC 5280.
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readCertificateFields } from '../../../core/x509/certificate.ts';
import { readObjectIdentifier } from '../../../core/x509/der.ts';
import { readName, sameName } from '../../../core/x509/distinguished-name.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { findPeer } from '../../support/peers.ts';

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

const types = {
  CN: '0603550403',
  O: '060355040a',
  C: '0603550406',
  OU: '060355040b',
  DC: '060a0992268993f22c640119',
  unknown: '06032a0304',
};
const utf8String = 0x0c;
const printableString = 0x13;

function attribute(type: keyof typeof types, value: string | Buffer, tag = utf8String): Buffer {
  return der(0x30, Buffer.from(types[type], 'hex'), der(tag, Buffer.from(value)));
}

function name(...parts: readonly (Buffer | readonly Buffer[])[]): Buffer {
  return der(0x30, ...parts.map((part) => der(0x31, ...(Buffer.isBuffer(part) ? [part] : part))));
}

describe('the text of a name', () => {
  it.each([
    [
      'the most specific part first',
      name(attribute('C', 'US'), attribute('O', 'Acme'), attribute('CN', 'CA 1')),
      'CN=CA 1, O=Acme, C=US',
    ],
    ['several attributes in one part', name([attribute('CN', 'a'), attribute('OU', 'b')]), 'OU=b+CN=a'],
    ['what RFC 4514 escapes', name(attribute('O', '#a, "b"+\\<c>; ')), 'O=\\#a\\, \\"b\\"\\+\\\\\\<c\\>\\;\\ '],
    ['letters beyond ASCII as they are', name(attribute('O', 'Přírodní 株式会社')), 'O=Přírodní 株式会社'],
    ['control characters as bytes', name(attribute('CN', 'a\n\u001b[31mb\u0000')), 'CN=a\\0A\\1B[31mb\\00'],
    ['characters that turn the text as bytes', name(attribute('CN', 'a\u202eb')), 'CN=a\\E2\\80\\AEb'],
    ['Latin-1', name(attribute('CN', Buffer.from('Müller', 'latin1'), 0x14)), 'CN=Müller'],
    ['UTF-16', name(attribute('CN', Buffer.from('03a90041', 'hex'), 0x1e)), 'CN=ΩA'],
    ['an unknown type in dots and hex', name(attribute('unknown', 'x', printableString)), '1.2.3.4=#130178'],
    ['a value that is not a string, in hex', name(attribute('CN', Buffer.of(5), 0x02)), 'CN=#020105'],
    ['invalid UTF-8, in hex', name(attribute('CN', Buffer.of(0xff))), 'CN=#0C01FF'],
    ['the empty name', name(), ''],
  ])('%s', (_title, bytes, text) => {
    expect(readName(bytes)).toEqual({ der: bytes, text });
  });

  it.each([
    ['no sequence', Buffer.from('0500', 'hex')],
    ['cut short', name(attribute('CN', 'abc')).subarray(0, -1)],
    ['something after it', Buffer.concat([name(attribute('CN', 'abc')), Buffer.of(0)])],
    ['an empty part', der(0x30, der(0x31))],
    ['indefinite length', Buffer.from('30800000', 'hex')],
    ['a length longer than the rest', Buffer.from('3083ffffff00', 'hex')],
    ['a length of eight bytes', Buffer.from('30880000000000000001', 'hex')],
    ['a long tag', Buffer.from('3f810100', 'hex')],
    ['an attribute of three', der(0x30, der(0x31, der(0x30, Buffer.from('060355040305000500', 'hex'))))],
    ['nothing at all', Buffer.alloc(0)],
  ])('shows an invalid name in hex: %s', (_title, bytes) => {
    expect(readName(bytes).text).toBe(`#${bytes.toString('hex').toUpperCase()}`);
  });

  it('is cut off where a line would get too long', () => {
    const long = readName(name(attribute('CN', '😀'.repeat(2000))));
    expect(long.text).toMatch(/^CN=😀+.?…$/u);
    expect(long.text.length).toBeLessThan(520);
    expect(long.text.isWellFormed()).toBe(true);
    expect(readName(Buffer.alloc(60_000)).text.length).toBeLessThan(520);
    const many = name(...Array.from({ length: 65 }, () => attribute('CN', 'a')));
    expect(readName(many).text).toMatch(/^#.*…$/);
  });
});

describe('comparing names', () => {
  const acme = name(attribute('C', 'US', printableString), attribute('O', 'Acme Trust', printableString));

  it.each([
    ['the same bytes', acme],
    ['another kind of string', name(attribute('C', 'US'), attribute('O', 'Acme Trust'))],
    ['another case', name(attribute('C', 'us'), attribute('O', 'ACME trust'))],
    ['other white space', name(attribute('C', ' US'), attribute('O', 'Acme \t  Trust '))],
    ['compatible characters', name(attribute('C', 'US'), attribute('O', 'Ａｃｍｅ\u00a0Trust'))],
  ])('%s: the same', (_title, other) => {
    expect(sameName(acme, other)).toBe(true);
  });

  it.each([
    ['another order of parts', name(attribute('O', 'Acme Trust'), attribute('C', 'US'))],
    ['parts put together', name([attribute('C', 'US'), attribute('O', 'Acme Trust')])],
    ['a part more', name(attribute('C', 'US'), attribute('O', 'Acme Trust'), attribute('CN', 'x'))],
    ['another type', name(attribute('C', 'US'), attribute('OU', 'Acme Trust'))],
    ['another word', name(attribute('C', 'US'), attribute('O', 'AcmeTrust'))],
    ['no name', Buffer.of(1, 2, 3)],
  ])('%s: not the same', (_title, other) => {
    expect(sameName(acme, other)).toBe(false);
  });

  it('the order inside a part does not count', () => {
    const one = name([attribute('CN', 'a'), attribute('OU', 'b')]);
    expect(sameName(one, name([attribute('OU', 'B'), attribute('CN', 'A')]))).toBe(true);
  });

  it('a value cannot imitate the structure around it', () => {
    const trick = name(attribute('CN', 'a"],["2.5.4.10=b'));
    expect(sameName(trick, name(attribute('CN', 'a'), attribute('O', 'b')))).toBe(false);
  });
});

describe('the fields of a certificate', () => {
  it('are the same as Node reads', () => {
    const authority = createAuthority({ commonName: 'Root', keyAlgorithm: 'RSA_2048' });
    const leaf = authority.issue({ commonName: 'leaf' });
    const fields = readCertificateFields(new X509Certificate(leaf.certificate).raw);
    const ca = readCertificateFields(new X509Certificate(authority.certificate).raw);
    expect(fields?.issuer).toEqual(ca?.subject);
    expect(readName(fields?.subject ?? Buffer.alloc(0)).text).toBe('CN=leaf');
    expect(fields?.signature).toBe('1.2.840.113549.1.1.11');
  });

  it('are undefined for bytes that are not a certificate', () => {
    const { raw } = new X509Certificate(createAuthority({ commonName: 'Root' }).certificate);
    for (let end = 0; end < raw.length; end += 1) expect(readCertificateFields(raw.subarray(0, end))).toBeUndefined();
  });

  it('include object identifiers of the joint arc and long ones', () => {
    expect(readObjectIdentifier(Buffer.from('883703', 'hex'))).toBe('2.999.3');
    expect(readObjectIdentifier(Buffer.from('8837', 'hex'))).toBe('2.999');
    expect(readObjectIdentifier(Buffer.from('2a83', 'hex'))).toBeUndefined();
    expect(readObjectIdentifier(Buffer.alloc(33, 1))).toBeUndefined();
    expect(readObjectIdentifier(Buffer.concat([Buffer.alloc(20, 0xff), Buffer.of(1)]))).toBeUndefined();
  });
});

describe.skipIf(!findPeer('openssl'))('names are the same as OpenSSL prints (needs openssl)', () => {
  it.each([
    '/C=US/O=Acme, Inc./CN=Acme Root CA+UID=7',
    '/DC=example/DC=acme/OU=a\\/b;c <d>/CN= leading and "quotes" ',
    '/C=CZ/L=Plzeň/O=Škola/CN=žluťoučký 株式会社/emailAddress=ca@acme.example',
    '/serialNumber=12/title=x/SN=Doe/GN=J/street=1 Main\\+St/postalCode=9/ST=TX/businessCategory=Private',
  ])('%s', (subject) => {
    const openssl = findPeer('openssl') ?? '';
    const made = spawnSync(
      openssl,
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        '-',
        '-utf8',
        '-multivalue-rdn',
        '-subj',
        subject,
      ],
      { encoding: 'utf8' },
    );
    const certificate = /-----BEGIN CERTIFICATE[\s\S]*/.exec(made.stdout)?.[0] ?? '';
    const shown = spawnSync(openssl, ['x509', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8'], {
      input: certificate,
      encoding: 'utf8',
    });
    const fields = readCertificateFields(new X509Certificate(certificate).raw);
    const ours = readName(fields?.subject ?? Buffer.alloc(0)).text.replaceAll(/(?<!\\), /g, ',');
    expect(`subject=${ours}\n`).toBe(shown.stdout);
  });
});
