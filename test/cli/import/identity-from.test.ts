// Several keys, several certificates, every kind of passphrase, and the public roots.
import { createCipheriv, pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import type { InputFile, PassphraseRequest } from '../../../cli/import/contents.ts';
import { deriveKey, secretOf, secretsOf } from '../../../cli/import/derive.ts';
import { type IdentitySettings, identityFrom } from '../../../cli/import/identity-from.ts';
import { Allowance, most } from '../../../cli/import/limits.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { readOnlyBer } from '../../../core/x509/der.ts';
import { publicRootOf } from '../../../core/x509/trust.ts';
import {
  type CertificateRequest,
  createAuthority,
  type IssuedCertificate,
} from '../../../local/authority/authority.ts';
import {
  contentOf,
  element,
  inside,
  integer,
  nothing,
  octetString,
  oid,
  sequence,
} from '../../support/import/encoded.ts';
import {
  convertByKeytool,
  createSubject,
  encryptKey,
  exportByForge,
  exportPkcs12,
  keyDerOf,
  openWorkshop,
  passphrase,
  textFile,
} from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

const now = Date.UTC(2026, 5, 1);
const dates = { notBefore: new Date(Date.UTC(2026, 0, 1)), notAfter: new Date(Date.UTC(2036, 0, 1)) };
const root = createAuthority({ commonName: 'Root', ...dates });
const issuer = root.intermediate({ commonName: 'Issuer', ...dates });
const issue = (request: Partial<CertificateRequest> = {}) =>
  issuer.issue({ commonName: 'bot', usage: 'client', ...dates, ...request });
const bot = issue();
const all = (issued: IssuedCertificate) =>
  textFile('all.pem', `${issued.privateKey}${issued.certificate}${issued.intermediates}${issued.root}`);
const workshop = openWorkshop();
afterAll(() => workshop.close());

async function imported(files: readonly InputFile[], settings: Partial<IdentitySettings> = {}, secret?: string) {
  const contents = await readFiles(files, async () => secret);
  const result = identityFrom(contents, { now, publicRoots: [], ...settings });
  return 'document' in result ? result : expect.fail(JSON.stringify(result, undefined, 2));
}

describe('of several keys and certificates', () => {
  it('the client certificate is chosen, and the findings name the other one', async () => {
    const server = issue({ commonName: 'server', usage: 'server' });
    const files = [textFile('server.pem', `${server.privateKey}${server.certificate}`), all(bot)];
    const { document, notes } = await imported(files);
    expect(document.certificate).toBe(bot.certificate);
    expect(notes).toEqual([
      expect.stringMatching(
        /^CN=server \(server\.pem, block 2\), SHA-256 .* has its private key too, and was passed over\.$/,
      ),
      'The private key in server.pem, block 1 is not used.',
      'CN=server (server.pem, block 2) is not part of the chain, and is not stored.',
    ]);
  });

  it('the one that is valid today is chosen', async () => {
    const old = issue({ commonName: 'old', notAfter: new Date(Date.UTC(2026, 4, 1)) });
    expect(
      (await imported([textFile('old', `${old.privateKey}${old.certificate}`), all(bot)])).document.certificate,
    ).toBe(bot.certificate);
  });

  it('the newest certificate for the same key is chosen', async () => {
    const renewed = issue({ privateKey: bot.privateKey, notBefore: new Date(Date.UTC(2026, 2, 1)) });
    for (const files of [
      [textFile('new', renewed.certificate), all(bot)],
      [all(bot), textFile('new', renewed.certificate)],
    ]) {
      expect((await imported(files)).document.certificate).toBe(renewed.certificate);
    }
  });

  it('the certificate of an authority is chosen before a self-signed CA certificate of the key', async () => {
    const own = createAuthority({ commonName: 'bot', privateKey: bot.privateKey, ...dates });
    expect((await imported([textFile('own', own.certificate), all(bot)])).document.certificate).toBe(bot.certificate);
  });

  it.skipIf(!findPeer('openssl'))(
    'the certificate of an authority is chosen before the first self-signed one of keytool (needs openssl)',
    async () => {
      workshop.write('own.key', bot.privateKey);
      const args = ['-subj', '/CN=first', '-days', '30', '-addext', 'basicConstraints=critical,CA:FALSE'];
      workshop.openssl('req', '-x509', '-new', '-key', 'own.key', ...args, '-out', 'own.pem');
      const own = textFile('own.pem', workshop.read('own.pem'));
      expect((await imported([own, all(bot)], { now: Date.now() })).document.certificate).toBe(bot.certificate);
    },
  );

  it('the key of an authority is not chosen', async () => {
    const { document, notes } = await imported([textFile('issuer.key', issuer.privateKey), all(bot)]);
    expect(document.privateKey).toBe(bot.privateKey);
    expect(notes.join()).toContain('The private key in issuer.key is not used.');
  });

  it('hundreds with one name and one key end in a finding', async () => {
    const same = { commonName: 'Issuer', privateKey: issuer.privateKey, ...dates };
    const many = Array.from({ length: 300 }, () => root.intermediate(same).certificate);
    const contents = await readFiles([textFile('many.pem', many.join('')), all(bot)], async () => undefined);
    expect(identityFrom(contents, { now, publicRoots: [] })).toMatchObject([{ code: 'too-many-objects' }]);
  });

  it('all public roots beside the identity change nothing', async () => {
    const { document, chain } = await imported([
      textFile('ca-certificates.crt', rootCertificates.join('\n')),
      all(bot),
    ]);
    expect(document.rootCertificate).toBe(root.certificate);
    expect(chain.map(({ role, subject, source }) => [role, subject, source])).toEqual([
      ['client', 'CN=bot', 'all.pem, block 2'],
      ['intermediate', 'CN=Issuer', 'all.pem, block 3'],
      ['root', 'CN=Root', 'all.pem, block 4'],
    ]);
  });
});

describe.skipIf(!findPeer('openssl'))('other output of OpenSSL (needs openssl)', () => {
  const subject = createSubject('EC_P256');
  const certificates = textFile('chain.pem', subject.certificates.join(''));
  const files = {
    'the attributes of the bags of PKCS#12': () => {
      workshop.write('bot.p12', exportPkcs12(workshop, subject, 'mixed', []));
      const secrets = ['-passin', `pass:${passphrase}`, '-nodes'];
      workshop.openssl('pkcs12', '-in', 'bot.p12', ...secrets, '-out', 'bags.pem');
      return [textFile('bags.pem', workshop.read('bags.pem'))];
    },
    'the parameters of an EC key, and the key as text': () => {
      workshop.write('key.pem', subject.privateKey);
      workshop.openssl('ecparam', '-name', 'prime256v1', '-out', 'param.pem');
      workshop.openssl('pkey', '-in', 'key.pem', '-text', '-out', 'text.pem');
      return [
        textFile('key.pem', Buffer.concat([workshop.read('param.pem'), workshop.read('text.pem')])),
        certificates,
      ];
    },
    'what a certificate is trusted for': () => {
      workshop.write('root.pem', subject.certificates[3]);
      workshop.openssl('x509', '-in', 'root.pem', '-trustout', '-addtrust', 'clientAuth', '-out', 'trusted.pem');
      const rest = `${subject.privateKey}${subject.certificates.slice(0, 3).join('')}`;
      return [textFile('trusted.pem', workshop.read('trusted.pem')), textFile('rest.pem', rest)];
    },
  };

  it.each(Object.entries(files))('is skipped: %s', async (_what, make) => {
    const { document } = await imported(make(), { now: Date.now() });
    expect(document.privateKey).toBe(subject.privateKey);
    expect(document.rootCertificate).toBe(subject.certificates[3]);
  });
});

describe('the document', () => {
  it('has the public half of an EC key, even if the file left it out', async () => {
    const [version, algorithm, wrapped] = inside(keyDerOf(bot.privateKey)) as [Buffer, Buffer, Buffer];
    const [one, privateHalf] = inside(contentOf(wrapped)) as [Buffer, Buffer];
    const half = sequence(version, algorithm, octetString(sequence(one, privateHalf)));
    const chain = textFile('chain.pem', `${bot.certificate}${bot.intermediates}${bot.root}`);
    expect((await imported([textFile('key', half), chain])).document.privateKey).toBe(bot.privateKey);
  });

  it('is reported with terminal escapes removed', async () => {
    const name = 'all\u001b[2J\u202e.pem';
    const odd = issue({ commonName: 'bot\u001b]0;owned\u0007', notBefore: new Date(Date.UTC(2026, 6, 1)) });
    const contents = await readFiles([{ ...all(odd), name }, textFile(name, 'nothing')], async () => undefined);
    const result = identityFrom(contents, { now, publicRoots: [] });
    const text =
      'document' in result
        ? expect.fail('It was imported.')
        : result.map(({ where, sentence }) => where + sentence).join();
    expect(text).toContain('owned');
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('has the given destinations and renewal, and neither by default', async () => {
    const settings = { destinations: [{ host: 'api.acme.example' }], renewal: { issuer: { kind: 'manual' } } };
    expect((await imported([all(bot)], settings)).document).toMatchObject(settings);
    expect(Object.keys((await imported([all(bot)])).document)).toEqual([
      'privateKey',
      'certificate',
      'intermediateCertificates',
      'rootCertificate',
    ]);
  });

  it.each([
    ['29 days before its end', Date.UTC(2035, 11, 3), ['expires-soon', 'expires-soon', 'expires-soon']],
    ['31 days before', Date.UTC(2035, 11, 1), []],
  ] as const)('causes a warning about %s', async (_when, at, codes) => {
    const { warnings } = await imported([all(bot)], { now: at });
    expect(warnings.map(({ code }) => code)).toEqual(codes);
  });

  it('causes the same expiry warning as doctor, however short its life is', async () => {
    const brief = issue({ notBefore: new Date(now - 86_400_000), notAfter: new Date(now + 8 * 86_400_000) });
    const [first] = (await imported([all(brief)])).warnings;
    expect(first?.sentence).toBe('CN=bot (all.pem, block 2) expires on 2026-06-09T00:00:00.000Z, in 8 days.');
    const { warnings } = await imported([all(brief)], { now: now + 6 * 86_400_000 });
    expect(warnings.map(({ sentence }) => sentence)).toEqual([
      'CN=bot (all.pem, block 2) expires on 2026-06-09T00:00:00.000Z, in 2 days.',
    ]);
  });
});

describe('a public web authority', () => {
  it('is recognized by its root, by another certificate for its key and name, and by the certificates it signed', () => {
    const parse = (pem: string) => new X509Certificate(pem);
    const again = createAuthority({ commonName: 'Root', privateKey: root.privateKey, ...dates });
    const crossSigned = createAuthority({ commonName: 'Private', ...dates }).intermediate({
      commonName: 'Root',
      privateKey: root.privateKey,
      ...dates,
    });
    const chains = [
      [root.certificate],
      [again.certificate],
      [crossSigned.certificate],
      [bot.certificate, issuer.certificate],
    ];
    for (const chain of chains) {
      expect(publicRootOf(chain.map(parse), [root.certificate])?.subject, `${chain.length}`).toBe('CN=Root');
    }
    const namesake = createAuthority({ commonName: 'Root', ...dates });
    expect(publicRootOf([parse(bot.certificate), parse(issuer.certificate)], [namesake.certificate])).toBeUndefined();
    expect(publicRootOf([parse(root.certificate)])).toBeUndefined();
  });

  it('is every root that Node bundles', () => {
    for (const pem of rootCertificates) expect(publicRootOf([new X509Certificate(pem)])).toBeDefined();
  });
});

describe('an unreadable block', () => {
  const block = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
  const read = async (...files: readonly InputFile[]) =>
    (await readFiles(files, async () => expect.fail('No further prompt is expected.'))).findings;

  it('is reported up to a hundred times, and then reading stops', async () => {
    const encrypted = textFile(
      'key.pem',
      bot.privateKey.replace(/\n/, '\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n'),
    );
    const findings = await read(textFile('many.pem', block('*').repeat(1_000)), textFile('empty', ''), encrypted);
    expect(findings).toHaveLength(101);
    expect(findings[99]?.sentence).toBe('many.pem, block 100 is a PEM block whose text is not base64.');
    expect(findings[100]).toMatchObject({
      code: 'too-many-findings',
      severity: 'error',
      sentence: 'The import stopped after 100 findings; there may be more.',
    });
  });

  it('is reported once if it occurs a hundred times', async () => {
    const findings = await read(
      ...Array.from({ length: 50 }, () => textFile('empty', '')),
      textFile('odd.pem', block('*').repeat(99)),
    );
    expect(findings).toHaveLength(100);
  });
});

describe('the work to derive keys from passphrases', () => {
  it('ends without a key if PBKDF2 fails', async () => {
    const parameters = sequence(octetString(randomBytes(8)), integer(1));
    const algorithm = readOnlyBer(sequence(oid('1.2.840.113549.1.5.12'), parameters), 'key');
    const derivation = { where: 'key', allowance: new Allowance() };
    expect(await deriveKey(algorithm, Buffer.from(passphrase), 0, derivation)).toBeUndefined();
    expect(await deriveKey(algorithm, Buffer.from(passphrase), 20, derivation)).toHaveLength(20);
  });

  it('is limited for one key and for the whole import, before it starts', () => {
    const allowance = new Allowance();
    expect(() => allowance.iterations('a.p12', most.iterations + 1, 1)).toThrow('a.p12 asks for 5000001 iterations');
    for (let count = 0; count < 4; count++) allowance.iterations('b.p12', most.iterations, 1);
    expect(() => allowance.iterations('c.p12', 1, 1)).toThrow('c.p12 and what was read before it ask for more work');
  });
});

describe('passphrases', () => {
  const subject = createSubject('EC_P256');
  const asking = async (bytes: Buffer, answer: (request: PassphraseRequest) => string | undefined) => {
    const asked: PassphraseRequest[] = [];
    const contents = await readFiles([textFile('bot', bytes)], async (request) => {
      asked.push(request);
      return answer(request);
    });
    return { asked, contents };
  };

  /** RFC 5084 and RFC 8018; the tag behind the text, as Bouncy Castle writes it. */
  it.each([12, 16])('open PKCS#8 with AES-GCM and a tag of %i octets, made by hand', async (tagLength) => {
    const [salt, iv] = [randomBytes(16), randomBytes(12)];
    const key = pbkdf2Sync(passphrase, salt, 1_000, 32, 'sha256');
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagLength });
    const text = Buffer.concat([cipher.update(keyDerOf(subject.privateKey)), cipher.final(), cipher.getAuthTag()]);
    const prf = sequence(oid('1.2.840.113549.2.9'), nothing);
    const kdf = sequence(oid('1.2.840.113549.1.5.12'), sequence(octetString(salt), integer(1_000), prf));
    const tag = tagLength === 12 ? [] : [integer(tagLength)];
    const scheme = sequence(oid('2.16.840.1.101.3.4.1.46'), sequence(octetString(iv), ...tag));
    const bytes = sequence(sequence(oid('1.2.840.113549.1.5.13'), sequence(kdf, scheme)), octetString(text));
    expect((await asking(bytes, () => passphrase)).contents).toMatchObject({ findings: [], keys: [{ source: 'bot' }] });
    const { contents } = await asking(bytes, () => 'guess');
    expect(contents.findings.map(({ code }) => code)).toEqual(['passphrase-wrong']);
  });

  it('are not prompted for if the file has no passphrase, which PKCS#12 distinguishes from an empty one', async () => {
    const bytes = exportByForge(createSubject('RSA_2048'), 'mixed', 'aes256', null);
    const { asked, contents } = await asking(bytes, () => 'guess');
    expect(asked).toEqual([]);
    expect(contents).toMatchObject({ findings: [], keys: [{ source: 'bot (bot)' }] });
  });

  describe.skipIf(!findPeer('openssl'))('for files of OpenSSL (needs openssl)', () => {
    it('open all entries of a file, and two identities in it are distinguished by their names', async () => {
      const stores = [subject, createSubject('EC_P384')].map((each, index) => {
        const args = ['-nomac', '-name', `entry ${index + 1}`];
        return exportPkcs12(workshop, each, 'mixed', args);
      });
      const safes = stores.flatMap((store) => {
        const data = inside(inside(inside(store)[1] as Buffer)[1] as Buffer)[0] as Buffer;
        return inside(contentOf(data));
      });
      const safe = octetString(sequence(...safes));
      const merged = sequence(integer(3), sequence(oid('1.2.840.113549.1.7.1'), element(0xa0, safe)));
      const { contents } = await asking(merged, () => passphrase);
      const result = identityFrom(contents, { now: Date.now(), publicRoots: [] });
      const sentence = expect.stringMatching(
        /with --alias: entry 1: CN=Import bot \(bot \(entry 1\)\), \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d, SHA-256 .*; entry 2: CN=Import bot \(bot \(entry 2\)\)/,
      );
      expect(result).toMatchObject([{ code: 'identity-ambiguous', sentence }]);
      for (const alias of ['entry 2', 'ENTRY 2']) {
        expect(identityFrom(contents, { now: Date.now(), publicRoots: [], alias })).toMatchObject({
          chain: [{ role: 'client', source: 'bot (entry 2)' }, {}, {}, {}],
          notes: expect.arrayContaining([expect.stringContaining('(bot (entry 1)), SHA-256')]),
        });
      }
      expect(identityFrom(contents, { now: Date.now(), alias: 'entry 3' })).toMatchObject([
        { code: 'alias-unknown', sentence: expect.stringMatching(/The entries are: entry 1: .*; entry 2: /) },
      ]);
    });

    it.each([[], ['-legacy'], ['-nomac']])('are read in every script: pkcs12 -export %s', async (...args) => {
      for (const secret of ['pässwörd €', 'пароль', '鍵🔑', ' spaces ']) {
        const { contents, asked } = await asking(exportPkcs12(workshop, subject, 'mixed', args, secret), () => secret);
        expect(contents.findings, secret).toEqual([]);
        expect(contents.keys).toHaveLength(1);
        expect(asked).toEqual([{ name: 'bot', kind: 'pkcs12' }]);
      }
    });

    // The bytes of the passphrase are what the terminal sends: no locale makes OpenSSL convert them.
    const legacy = ['-legacy'];
    it.each<[string, string, BufferEncoding | 'windows-1252', readonly string[]]>([
      ['OpenSSL on a UTF-8 terminal', 'pässwörd', 'utf8', []],
      // A stand-in for Windows: both write UTF-16BE with surrogates (RFC 7292, appendix B.1).
      ['Windows', 'pässwörd 😀', 'utf8', legacy],
      ['OpenSSL on a Latin-1 terminal', 'pässwörd', 'latin1', []],
      ['OpenSSL on a Latin-1 terminal, own schemes', 'pässwörd', 'latin1', legacy],
      ['OpenSSL on Windows', 'pass€wörd', 'windows-1252', []],
      ['OpenSSL on Windows, own schemes', 'pass€wörd', 'windows-1252', legacy],
      ['OpenSSL on Windows, without a MAC', 'pass€wörd', 'windows-1252', ['-nomac']],
    ])('are read as %s encodes them', async (_, secret, encoding, args) => {
      const bytes =
        encoding === 'windows-1252'
          ? Buffer.from(secret.replace('€', '\u0080'), 'latin1')
          : Buffer.from(secret, encoding as BufferEncoding);
      workshop.write('secret', bytes);
      const store = exportPkcs12(workshop, subject, 'mixed', [...args, '-passout', 'file:secret'], secret);
      const { contents } = await asking(store, () => secret);
      expect(contents).toMatchObject({ findings: [], keys: [{}] });
    });

    it('are read as OpenSSL before 1.1 encodes them: one character for each byte of UTF-8', async () => {
      const secret = 'pässwörd €';
      const bytesAsCharacters = Buffer.from(secret).toString('latin1');
      const store = exportPkcs12(workshop, subject, 'mixed', legacy, bytesAsCharacters);
      const { contents } = await asking(store, () => secret);
      expect(contents).toMatchObject({ findings: [], keys: [{}] });
    });

    it.each(['3des', 'aes256'] as const)('are read as node-forge encodes them: %s', async (algorithm) => {
      // Of characters beyond Latin-1, node-forge's PBKDF2 mixes the bits: its files open nowhere else.
      for (const secret of algorithm === '3des' ? ['pässwörd', 'пароль €'] : ['pässwörd']) {
        const store = exportByForge(createSubject('RSA_2048'), 'mixed', algorithm, secret);
        const { contents } = await asking(store, () => secret);
        expect(contents, secret).toMatchObject({ findings: [], keys: [{}] });
      }
    });

    it('end in passphrase-wrong after a bounded number of encodings', async () => {
      const { contents } = await asking(exportPkcs12(workshop, subject, 'mixed', []), () => 'fälsch €');
      expect(contents.findings).toMatchObject([{ code: 'passphrase-wrong' }]);
      expect(secretsOf(secretOf('fälsch €', 'bot')).length).toBeLessThanOrEqual(15);
      expect(secretsOf(secretOf('ASCII', 'bot'))).toHaveLength(1);
    });

    it('are requested once for each block', async () => {
      const key = encryptKey(workshop, subject.privateKey, ['pkcs8', '-topk8']);
      const { asked } = await asking(Buffer.concat([key, key]), () => passphrase);
      expect(asked).toEqual([
        { name: 'bot, block 1', kind: 'key' },
        { name: 'bot, block 2', kind: 'key' },
      ]);
    });

    it('errors of the prompt are rethrown', async () => {
      const key = encryptKey(workshop, subject.privateKey, ['pkcs8', '-topk8']);
      const interrupted = new Error('The prompt was left.');
      await expect(
        asking(key, () => {
          throw interrupted;
        }),
      ).rejects.toBe(interrupted);
    });
  });

  describe.skipIf(!findPeer('openssl') || !findPeer('keytool'))(
    'for files of keytool (needs openssl and keytool)',
    () => {
      it.each(['JKS', 'JCEKS'] as const)('can differ between a %s and a key in it', async (type) => {
        const keyPassphrase = 'Another-Horse-7302';
        const bytes = convertByKeytool(workshop, exportPkcs12(workshop, subject, 'mixed', []), type, { keyPassphrase });
        const { asked, contents } = await asking(bytes, ({ kind }) =>
          kind === 'store-key' ? keyPassphrase : passphrase,
        );
        expect(asked.map(({ name, kind }) => [name, kind])).toEqual([
          ['bot', type.toLowerCase()],
          ['bot (bot)', 'store-key'],
        ]);
        expect(contents).toMatchObject({ findings: [], keys: [{ source: 'bot (bot)' }] });
      });
    },
  );
});
