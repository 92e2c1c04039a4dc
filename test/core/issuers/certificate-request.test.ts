// `renewal.subject` and `renewal.names`: RFC 4514 and RFC 5280 as they are written, and every slip told without quoting
// it.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { alternativeNamesExtension, comparableNames } from '../../../core/x509/alternative-names.ts';
import { X509Error } from '../../../core/x509/der.ts';
import { encodeName, readName, sameName } from '../../../core/x509/distinguished-name.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';

const privateKey = await newPrivateKey('EC_P256');
const textOf = (subject: string) => readName(encodeName(subject)).text;

describe('a subject', () => {
  it.each([
    // RFC 4514, section 4.
    ['UID=jsmith,DC=example,DC=net', 'UID=jsmith, DC=example, DC=net'],
    ['OU=Sales+CN=J.  Smith,DC=example,DC=net', 'CN=J.  Smith+OU=Sales, DC=example, DC=net'],
    ['CN=James \\"Jim\\" Smith\\, III,DC=example,DC=net', 'CN=James \\"Jim\\" Smith\\, III, DC=example, DC=net'],
    ['CN=Before\\0dAfter,DC=example,DC=net', 'CN=Before\\0DAfter, DC=example, DC=net'],
    ['CN=Lu\\C4\\8Di\\C4\\87', 'CN=Lučić'],
    ['1.3.6.1.4.1.1466.0=#04024869', '1.3.6.1.4.1.1466.0=#04024869'],
    // What people write.
    [' cn = bot , o = Acme ', 'CN=bot, O=Acme'],
    ['CN=\\ bot\\ ', 'CN=\\ bot\\ '],
    ['2.5.4.3=bot', 'CN=bot'],
    ['CN=a\\\\', 'CN=a\\\\'],
    ['CN=a=b#c', 'CN=a=b#c'],
    ['E=bot@acme.example', 'emailAddress=bot@acme.example'],
  ])('%s', (subject, text) => {
    expect(textOf(subject)).toBe(text);
  });

  it('has each kind of string where RFC 5280 asks for it', () => {
    const der = encodeName('CN=b,emailAddress=a@b.c,C=DE');
    expect(der.includes(Buffer.from('13024445', 'hex'))).toBe(true);
    expect(der.includes('\x16\x05a@b.c')).toBe(true);
    expect(der.includes(Buffer.from('0c0162', 'hex'))).toBe(true);
  });

  it('has the attributes of one part in the order of their bytes, as DER wants it, whatever order they are written in', () => {
    const der = encodeName('CN=b,OU=Sales+CN=bot+emailAddress=a@b.c');
    expect(encodeName('CN=b,emailAddress=a@b.c+OU=Sales+CN=bot')).toEqual(der);
    expect(der.indexOf('bot')).toBeLessThan(der.indexOf('Sales'));
    expect(der.indexOf('Sales')).toBeLessThan(der.indexOf('a@b.c'));
  });

  it('comes back from its text', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => [...text].length <= 64);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('CN', 'O', 'OU'), value), { minLength: 1, maxLength: 4 }),
        (parts) => {
          // Every byte escaped, which any value may be.
          const escaped = (text: string) =>
            [...Buffer.from(text.toWellFormed())].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
          fc.pre(parts.every(([, text]) => !text.includes('\0')));
          const der = encodeName(parts.map(([type, text]) => `${type}=${escaped(text)}`).join(','));
          expect(sameName(encodeName(readName(der).text), der)).toBe(true);
        },
      ),
    );
  });

  it('is what OpenSSL makes of the same parts', async () => {
    const privateKey = await newPrivateKey('EC_P256');
    const text = (pem: string) =>
      execFileSync(findPeer('openssl') ?? 'openssl', ['req', '-noout', '-subject', '-nameopt', 'RFC2253'], {
        input: pem,
        encoding: 'utf8',
      });
    const own = certificateRequest({ privateKey, subject: 'CN=bot,OU=a\\+b,O=Acme\\, Inc.,C=DE' });
    const args = [
      'req',
      '-new',
      '-key',
      privateFolder().write('key.pem', privateKey),
      '-subj',
      '/C=DE/O=Acme, Inc./OU=a\\+b/CN=bot',
    ];
    const theirs = execFileSync(findPeer('openssl') ?? 'openssl', args, { encoding: 'utf8' });
    expect(text(own)).toBe(text(theirs));
  });

  it.each([
    '',
    'bot',
    'CN',
    'CN=',
    'CN=SECRET,',
    'CN=SECRET+',
    ',CN=SECRET',
    'CN=SECRET;O=x',
    'CN="SECRET"',
    'CN=<SECRET>',
    'CN=SECRET\\',
    'CN=SECRET\\x',
    'CN=\\ff\\feSECRET',
    'CN=SECRET\\00',
    'CN=SECRET\0',
    'CN=\ud800SECRET',
    `CN=SECRET${'x'.repeat(64)}`,
    'C=SECRET',
    'C=D_',
    'DC=SECRÄT',
    'SECRET=x',
    '3.1=SECRET',
    '1.40.1=SECRET',
    '2.99999999999999999999=SECRET',
    'CN=#',
    'CN=#0',
    'CN=#0c05SECRET',
    'CN=#0c0161ff',
    Array(33).fill('CN=SECRET').join(','),
    `CN=SECRET${' '.repeat(2100)}`,
  ])('is refused: %j', async (subject) => {
    const failure = await failureOf(() => certificateRequest({ privateKey, subject }));
    expect(failure.code).toBe('renewal-unusable');
    expect(failure.evidence).toEqual({ reason: 'subject-malformed' });
    expect(failure.message).toMatch(/^renewal: subject [^\n]{10,150}\.$/);
    expect(failure.message).not.toContain('SECR');
  });

  it('of any text is a name or refused', () => {
    const piece = fc.oneof(
      fc.constantFrom('CN=', 'O=', ',', '+', '\\', '#0c0161', ' ', '"', '2.5.4.3='),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          expect(readName(encodeName(pieces.join(''))).text).not.toMatch(/^#/);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(X509Error);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('alternative names', () => {
  it.each([
    'dns:',
    'dns:a b',
    'dns:-a.example',
    'dns:a..example',
    'dns:*',
    'dns:a.*.example',
    'dns:ä.example',
    `dns:${'a'.repeat(64)}.example`,
    'ip:127.1',
    'ip:127.0.0.256',
    'ip:0x7f000001',
    'ip:fe80::1%eth0',
    'ip:1.2.3.0/24',
    'ip:::g',
    'uri:acme',
    'uri://acme',
    'uri:http://ä',
    'uri:http://a b',
    'email:acme',
    'email:a@b@c',
    'email:a b@c',
    'bot.example',
    'DNS:bot.example',
    'other:x',
    'dns:a.example\n',
    '',
  ])('are refused: %j', async (name) => {
    const failure = await failureOf(() =>
      certificateRequest({ privateKey, subject: 'CN=bot', names: ['dns:fine.example', name] }),
    );
    expect(failure.code).toBe('renewal-unusable');
    expect(failure.message).toBe('renewal: names[1] must be dns:, uri:, email: or ip: and a name of that kind.');
    expect(failure.evidence).toEqual({ reason: 'names-malformed' });
  });

  it('are at most a hundred', async () => {
    const names = Array.from({ length: 101 }, (_, index) => `dns:a${index}.example`);
    expect(comparableNames(alternativeNamesExtension(names.slice(1)))).toHaveLength(100);
    expect((await failureOf(() => certificateRequest({ privateKey, subject: 'CN=bot', names }))).evidence?.reason).toBe(
      'names-malformed',
    );
  });
});

describe('a request that cannot be made is refused', () => {
  it.each([
    [{ privateKey: 'SECRET', subject: 'CN=bot' }, 'key-unusable'],
    [
      { privateKey: '-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n', subject: 'CN=bot' },
      'key-unusable',
    ],
  ])('%#', async (request, reason) => {
    const failure = await failureOf(() => certificateRequest(request));
    expect([failure.code, failure.evidence, failure.cause]).toEqual(['renewal-unusable', { reason }, undefined]);
  });

  it('without a subject and without a certificate to take it from', async () => {
    const privateKey = await newPrivateKey('EC_P256');
    for (const like of [undefined, '', 'SECRET', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
      const failure = await failureOf(() => certificateRequest({ privateKey, like }));
      expect(failure.evidence).toEqual({ reason: 'subject-missing' });
    }
  });
});
