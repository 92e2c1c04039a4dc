// Shuffled, duplicated, cross-signed or unrelated certificates give the chain of the key, or name the missing one.
import { createPublicKey, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { checkIdentity } from '../../../core/identity/check.ts';
import { type AssembledChain, assembleChain, type IncompleteChain } from '../../../core/x509/assemble.ts';
import { encodeName } from '../../../core/x509/distinguished-name.ts';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { store } from '../../support/identity/identities.ts';

const day = 86_400_000;
const now = Date.now();
const inDays = (days: number) => new Date(now + days * day);
const keyOf = ({ privateKey }: { privateKey: string }) => createPublicKey(privateKey);

const root = createAuthority({ commonName: 'Root' });
const first = root.intermediate({ commonName: 'First', keyAlgorithm: 'EC_P384' });
const second = first.intermediate({ commonName: 'Second', keyAlgorithm: 'RSA_2048' });
const leaf = second.issue({ commonName: 'bot', usage: 'client' });
const chain = [leaf.certificate, second.certificate, first.certificate, root.certificate];
const expected = {
  certificate: leaf.certificate,
  intermediateCertificates: second.certificate + first.certificate,
  rootCertificate: root.certificate,
};

function complete(result: AssembledChain | IncompleteChain): AssembledChain {
  if ('fault' in result) throw new Error(result.sentence);
  return result;
}

function incomplete(result: AssembledChain | IncompleteChain): IncompleteChain {
  if ('fault' in result) return result;
  throw new Error('The chain is complete.');
}

describe('certificates in any order', () => {
  const other = createAuthority({ commonName: 'Other Root' });
  const strangers = [
    other.certificate,
    other.intermediate({ commonName: 'Second' }).certificate,
    createAuthority({ commonName: 'Root' }).certificate,
    root.intermediate({ commonName: 'First' }).certificate,
    second.issue({ commonName: 'bot' }).certificate,
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'nothing',
  ];

  it('make the chain of the key, whatever other certificates are given', () => {
    const pool = fc
      .tuple(fc.subarray(strangers), fc.array(fc.constantFrom(...chain), { maxLength: 4 }))
      .chain(([some, again]) => {
        const all = [...chain, ...some, ...again];
        return fc.shuffledSubarray(all, { minLength: all.length });
      });
    fc.assert(
      fc.property(pool, fc.boolean(), (shuffled, inOne) => {
        const given = inOne && shuffled.every((pem) => !pem.includes('AAAA\n--')) ? [shuffled.join('\n')] : shuffled;
        const { unneeded, ...parts } = complete(assembleChain(given, keyOf(leaf)));
        expect(parts).toEqual(expected);
        expect(unneeded).toHaveLength(new Set(shuffled.filter((pem) => pem.length > 7 && !chain.includes(pem))).size);
        checkIdentity('bot', store({ privateKey: leaf.privateKey, ...parts }), now);
      }),
      { numRuns: 60 },
    );
  });

  it('report the names of unused certificates, escaped', () => {
    const hostile = other.certify({
      subject: encodeName('CN=A\\E2\\80\\AEB\\1B[31m'),
      publicKey: keyOf(root),
    }).certificate;
    const { unneeded } = complete(assembleChain([...chain, other.certificate, hostile], keyOf(leaf)));
    expect([...unneeded].sort()).toEqual(['CN=A\\E2\\80\\AEB\\1B[31m', 'CN=Other Root']);
  });
});

describe('a missing certificate is named', () => {
  it.each([
    [
      'no certificate for the key',
      chain.slice(1),
      'no-certificate',
      undefined,
      'No certificate belongs to the private key.',
    ],
    ['none at all', [], 'no-certificate', undefined, 'No certificate belongs to the private key.'],
    [
      'the issuer',
      [chain[0], chain[3]],
      'issuer-missing',
      'CN=Second',
      'The issuer of "CN=bot", which is "CN=Second", is not among the certificates.',
    ],
    [
      'one in between',
      [chain[0], chain[1], chain[3]],
      'issuer-missing',
      'CN=First',
      'The issuer of "CN=Second", which is "CN=First", is not among the certificates.',
    ],
    [
      'the root',
      chain.slice(0, 3),
      'root-missing',
      'CN=Root',
      'The issuer of "CN=First", which is "CN=Root", is not among the certificates.',
    ],
    [
      'a root of the same name is another',
      [...chain.slice(0, 3), createAuthority({ commonName: 'Root' }).certificate],
      'issuer-missing',
      'CN=Root',
      'The issuer of "CN=First", which is "CN=Root", is not among the certificates.',
    ],
  ])('%s', (_, certificates, fault, issuer, sentence) => {
    expect(incomplete(assembleChain(certificates as string[], keyOf(leaf)))).toMatchObject({ fault, issuer, sentence });
  });

  it('a self-signed certificate needs no issuer', () => {
    expect(incomplete(assembleChain(chain, keyOf(root)))).toMatchObject({ fault: 'self-signed' });
  });

  it('authorities that signed each other lead to no root', () => {
    const a = root.intermediate({ commonName: 'A' });
    const b = a.intermediate({ commonName: 'B' });
    const again = b.intermediate({ commonName: 'A', privateKey: a.privateKey });
    const issued = b.issue({ commonName: 'bot' });
    expect(
      incomplete(assembleChain([issued.certificate, b.certificate, again.certificate], keyOf(issued))),
    ).toMatchObject({ fault: 'root-missing' });
  });
});

describe('of several possible chains', () => {
  // The key of New, self-signed and certified by Old, as in a change of roots (RFC 4158, section 1.3).
  const fresh = createAuthority({ commonName: 'New' });
  const old = createAuthority({ commonName: 'Old' });
  const crossed = old.intermediate({ commonName: 'New', privateKey: fresh.privateKey });
  const issued = fresh.issue({ commonName: 'bot' });
  const all = [issued.certificate, fresh.certificate, crossed.certificate, old.certificate];

  it('the shortest one is chosen', () => {
    expect(complete(assembleChain(all, keyOf(issued))).rootCertificate).toBe(fresh.certificate);
  });

  it('the one to the root that customers already trust is preferred', () => {
    const parts = complete(assembleChain(all, keyOf(issued), { preferredRoot: old.certificate }));
    expect(parts.rootCertificate).toBe(old.certificate);
    expect(parts.intermediateCertificates).toBe(crossed.certificate);
    expect(parts.unneeded).toEqual(['CN=New']);
  });

  it('one whose root expires before the certificate is not preferred', () => {
    const ending = createAuthority({ commonName: 'Old', notAfter: inDays(30) });
    const below = ending.intermediate({ commonName: 'New', privateKey: fresh.privateKey });
    const given = [issued.certificate, fresh.certificate, below.certificate, ending.certificate];
    expect(complete(assembleChain(given, keyOf(issued), { preferredRoot: ending.certificate })).rootCertificate).toBe(
      fresh.certificate,
    );
  });

  it('a longer one is chosen if the nearer root is missing', () => {
    const given = all.filter((pem) => pem !== fresh.certificate);
    expect(complete(assembleChain(given, keyOf(issued))).rootCertificate).toBe(old.certificate);
  });

  it('the one with the renewed intermediate is preferred', () => {
    const short = root.intermediate({ commonName: 'Issuer', notAfter: inDays(10) });
    const renewed = root.intermediate({ commonName: 'Issuer', privateKey: short.privateKey });
    const bot = short.issue({ commonName: 'bot' });
    for (const given of [
      [short, renewed],
      [renewed, short],
    ]) {
      const parts = complete(
        assembleChain([bot.certificate, root.certificate, ...given.map(({ certificate }) => certificate)], keyOf(bot)),
      );
      expect(parts.intermediateCertificates).toBe(renewed.certificate);
    }
  });

  it('the one of the newer certificate is preferred, unless only the older one has a complete chain', () => {
    const older = root.issue({ commonName: 'bot', notBefore: inDays(-50), notAfter: inDays(900) });
    const newer = second.issue({ commonName: 'bot', privateKey: older.privateKey });
    const given = [older.certificate, newer.certificate, ...chain.slice(1)];
    expect(complete(assembleChain(given, keyOf(older))).certificate).toBe(newer.certificate);
    expect(
      complete(
        assembleChain(
          given.filter((pem) => pem !== second.certificate),
          keyOf(older),
        ),
      ).certificate,
    ).toBe(older.certificate);
  });
});

describe('hostile certificates', () => {
  it('are limited to 64', () => {
    const many = Array.from({ length: 64 }, (_, index) => createAuthority({ commonName: `Root ${index}` }).certificate);
    expect(incomplete(assembleChain([...many, leaf.certificate], keyOf(leaf)))).toMatchObject({
      fault: 'too-many-certificates',
      unneeded: [],
    });
    expect(assembleChain([leaf.certificate, ...chain.slice(1), ...many.slice(4)], keyOf(leaf))).toMatchObject(expected);
  });

  it('with one name, all cross-signed, are searched in bounded time', () => {
    // Each of 7 keys certified by each: 7! ways.
    const keys = Array.from({ length: 7 }, () => createAuthority({ commonName: 'Same' }));
    const crossed = keys.flatMap((issuer) =>
      keys.map(({ privateKey }) => issuer.intermediate({ commonName: 'Same', privateKey }).certificate),
    );
    const bot = keys[0]?.issue({ commonName: 'bot' }) as IssuedCertificate;
    const verify = vi.spyOn(X509Certificate.prototype, 'verify');
    const result = assembleChain([bot.certificate, ...crossed], keyOf(bot));
    // Each with each would be 7 for each of 49.
    expect(verify.mock.calls.length).toBeLessThan(100);
    expect('fault' in result ? result.fault : 'complete').toBe('complete');
  });

  it('of any bytes do not throw', () => {
    const der = Buffer.from(leaf.certificate.split('\n').slice(1, -2).join(''), 'base64');
    const damaged = fc.tuple(fc.nat(der.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(der);
      bytes[at] = byte;
      return `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----\n`;
    });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(damaged, fc.string(), fc.constantFrom(...chain)), { maxLength: 6 }),
        (certificates) => {
          const result = assembleChain(certificates, keyOf(leaf));
          if ('fault' in result) expect(result.sentence).toMatch(/^[^\n]{10,600}\.$/);
          else expect(result.rootCertificate).toBe(root.certificate);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
