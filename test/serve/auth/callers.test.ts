import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { mayUse, namesOf, parseCallers, requireAllowed, subjectKey } from '../../../serve/auth/callers.ts';
import { findPeer } from '../../support/peers.ts';
import { opensslCertificate } from '../../support/serve/openssl-certificate.ts';

const token = 'a'.repeat(43);
const tokenSha256 = createHash('sha256').update(token).digest('hex');
const authority = createAuthority({ commonName: 'Callers' });
const certificateOf = (commonName: string) =>
  new X509Certificate(authority.issue({ commonName, usage: 'client' }).certificate);

describe('a callers file', () => {
  const callers = parseCallers(
    JSON.stringify([
      { name: 'bot', subject: 'CN=bot-runtime', identities: ['platform', 'acme'] },
      { name: 'batch', commonName: 'batch', identities: '*' },
      { name: 'prometheus', tokenSha256, identities: [], metrics: true },
    ]),
    'callers.json',
  );

  it('finds a caller by the SHA-256 of its token', () => {
    expect(callers.byToken(token)).toMatchObject({ name: 'prometheus', metrics: true });
    expect(callers.byToken(`${token}a`)).toBeUndefined();
    expect(callers.byToken(tokenSha256)).toBeUndefined();
  });

  it('finds a caller by the subject of its certificate, or by the common name', () => {
    expect(callers.byCertificate(certificateOf('bot-runtime'))).toMatchObject({ name: 'bot', metrics: false });
    expect(callers.byCertificate(certificateOf('batch'))).toMatchObject({ name: 'batch' });
    expect(callers.byCertificate(certificateOf('Batch'))).toBeUndefined();
    expect(callers.byCertificate(certificateOf('bot-runtime2'))).toBeUndefined();
  });

  it('compares subjects exactly: only the space U+0020 is ignored around a value', () => {
    const [plain, padded] = ['bot', 'bot\u00a0'].map(certificateOf) as [X509Certificate, X509Certificate];
    const namedBy = (subject: string, certificate: X509Certificate) =>
      parseCallers(JSON.stringify([{ name: 'bot', subject, identities: '*' }]), 'callers.json').byCertificate(
        certificate,
      );
    expect(namedBy('  CN  =  bot  ', plain)).toMatchObject({ name: 'bot' });
    for (const blank of ['\u00a0', '\t', '\n', '\u2003', '\ufeff']) {
      expect(namedBy(`CN=bot${blank}`, plain)).toBeUndefined();
      expect(namedBy(`CN=${blank}bot`, plain)).toBeUndefined();
    }
    expect(namedBy('CN=bot', padded)).toBeUndefined();
    expect(namedBy('CN=bot\u00a0', padded)).toMatchObject({ name: 'bot' });
  });

  it('has the identities that each caller can use', () => {
    const bot = callers.byCertificate(certificateOf('bot-runtime'));
    const batch = callers.byCertificate(certificateOf('batch'));
    if (!bot || !batch) throw new Error('A caller was not found.');
    expect(['platform', 'acme', 'other', '*'].map((name) => mayUse(bot, name))).toEqual([true, true, false, false]);
    expect(mayUse(batch, 'other')).toBe(true);
  });

  const caller = { name: 'bot', commonName: 'bot', identities: '*' };
  it.each<[string, unknown, string]>([
    ['invalid JSON', undefined, 'callers.json is not JSON.'],
    ['an object instead of a list', {}, 'callers.json must be a list of 1 to 1000 callers.'],
    ['an empty list', [], 'callers.json must be a list of 1 to 1000 callers.'],
    ['too many', Array(1001).fill(caller), 'callers.json must be a list of 1 to 1000 callers.'],
    ['an entry that is not an object', [caller, 'bot'], 'callers.json: caller 2 is not an object.'],
    ['an unknown key', [{ ...caller, identity: 'a' }], 'callers.json: caller 1 has an unknown key: identity.'],
    ['a token as a key', [{ ...caller, [token]: 1 }], 'callers.json: caller 1 has an unknown key.'],
    [
      'no name',
      [{ ...caller, name: undefined }],
      'callers.json: caller 1 must have a name of at most 64 letters, digits, dots, hyphens and underscores.',
    ],
    [
      'a name with a line break',
      [{ ...caller, name: 'a\nb' }],
      'callers.json: caller 1 must have a name of at most 64 letters, digits, dots, hyphens and underscores.',
    ],
    [
      'a name twice',
      [caller, { ...caller, commonName: 'other' }],
      'callers.json: caller 2 has the same name as another caller.',
    ],
    [
      'no credentials',
      [{ name: 'bot', identities: '*' }],
      'callers.json: caller 1 must have exactly one of subject, commonName and tokenSha256.',
    ],
    [
      'two credentials',
      [{ ...caller, tokenSha256 }],
      'callers.json: caller 1 must have exactly one of subject, commonName and tokenSha256.',
    ],
    [
      'a token instead of its SHA-256',
      [{ name: 'bot', tokenSha256: token, identities: '*' }],
      'callers.json: caller 1 must have a tokenSha256 of 64 hexadecimal digits: the SHA-256 of the token.',
    ],
    [
      'a token twice',
      [
        { name: 'a', tokenSha256, identities: [] },
        { name: 'b', tokenSha256: tokenSha256.toUpperCase(), identities: [] },
      ],
      'callers.json: caller 2 has the same token as another caller.',
    ],
    [
      'a common name twice',
      [caller, { ...caller, name: 'b' }],
      'callers.json: caller 2 has the same commonName as another caller.',
    ],
    [
      'a subject twice',
      [
        { name: 'a', subject: 'CN=a,O=b', identities: [] },
        { name: 'b', subject: 'cn=a, o=b', identities: [] },
      ],
      'callers.json: caller 2 has the same subject as another caller.',
    ],
    [
      'an invalid subject',
      [{ name: 'a', subject: 'bot-runtime', identities: [] }],
      'callers.json: caller 1 must have a subject such as CN=bot-runtime,O=Acme (RFC 4514).',
    ],
    [
      'no identities',
      [{ name: 'a', commonName: 'a' }],
      'callers.json: caller 1 must have "*" or a list of identity names for identities.',
    ],
    [
      'an invalid identity name',
      [{ ...caller, identities: ['Platform'] }],
      'callers.json: caller 1 must have "*" or a list of identity names for identities.',
    ],
    [
      'a star inside the list',
      [{ ...caller, identities: ['*'] }],
      'callers.json: caller 1 must have "*" or a list of identity names for identities.',
    ],
    [
      'metrics that is not a boolean',
      [{ ...caller, metrics: 'yes' }],
      'callers.json: caller 1 must have true or false for metrics.',
    ],
  ])('is rejected with %s', (_, content, sentence) => {
    const text = content === undefined ? `[{"tokenSha256": "${token}"` : JSON.stringify(content);
    expect(() => parseCallers(text, 'callers.json')).toThrow(new Error(sentence));
  });
});

describe('a subject', () => {
  it.each([
    ['CN=bot,O=Acme', 'cn=bot , o = Acme'],
    ['CN=a\\,b,O=Acme', 'CN=a\\2cb,O=Acme'],
    ['CN=Zoë', 'CN=Zo\\C3\\AB'],
    ['CN=a+UID=7,O=b', 'UID=7+CN=a,O=b'],
    ['2.5.4.45=x', '2.5.4.45 = x'],
  ])('%s is the same as %s', (one, other) => {
    expect(subjectKey(one)).toBeDefined();
    expect(subjectKey(one)).toBe(subjectKey(other));
  });

  it.each([
    ['CN=bot,O=Acme', 'O=Acme,CN=bot'],
    ['CN=bot,O=Acme', 'CN=bot'],
    ['CN=bot', 'CN=Bot'],
    ['CN=a\\,O=b', 'CN=a,O=b'],
    ['CN=a\\ ', 'CN=a'],
  ])('%s differs from %s', (one, other) => {
    expect(subjectKey(one)).toBeDefined();
    expect(subjectKey(one)).not.toBe(subjectKey(other));
  });

  it.each(['', 'bot', 'CN=', 'CN=a,', '=a', 'CN=a\\', 'CN=\\C3', 'CN=a;O=b', 'CN="a"'])('%s is invalid', (text) => {
    expect(subjectKey(text)).toBeUndefined();
  });

  it.skipIf(!findPeer('openssl'))('with two common names matches no common name (needs openssl)', () => {
    expect(namesOf(opensslCertificate('/CN=a/CN=b').certificate).commonName).toBeUndefined();
    expect(namesOf(opensslCertificate('/CN=a/O=b').certificate).commonName).toBe('a');
  });

  it.skipIf(!findPeer('openssl'))('matches what OpenSSL prints as RFC 2253 (needs openssl)', () => {
    for (const name of [
      '/C=DE/O=Acme, Inc./OU=a+b/CN=bot "runtime"',
      '/O=Zo\u00eb/CN= blank ',
      '/DC=example/DC=acme/CN=#bot/UID=7',
    ]) {
      const { certificate, subject } = opensslCertificate(name);
      const { key } = namesOf(certificate);
      expect(key).toBeDefined();
      expect(key).toBe(subjectKey(subject));
    }
  });
});

it('a route without an identity is denied to a caller of all identities', () => {
  const caller = { name: 'batch', identities: '*', metrics: false } as const;
  expect(() => requireAllowed(caller, { routeKey: 'POST /v1/operators', pathParameters: undefined } as never)).toThrow(
    expect.objectContaining({ code: 'caller-forbidden' }),
  );
});
