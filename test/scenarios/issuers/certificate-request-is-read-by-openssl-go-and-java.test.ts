// Certificate requests are written byte by byte: OpenSSL, Go and Java must all read them.
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyAlgorithms } from '../../../core/identity/renewal.ts';
import { certificateRequest, keyAlgorithmOf, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { type RequestFields, readCertificateFields, readCertificateRequest } from '../../../core/x509/certificate.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { buildGo } from '../../servers/go.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';

const keys = new Map(await Promise.all(keyAlgorithms.map(async (name) => [name, await newPrivateKey(name)] as const)));
const keyOf = (name: (typeof keyAlgorithms)[number]) => keys.get(name) as string;
const ecKey = keyOf('EC_P256');

const subject =
  'CN=bot\\, \\C3\\B6stlich+emailAddress=bot@acme.example,OU=Zwei  Worte\\ ,O=#130441636d65,serialNumber=7/8,DC=acme,C=DE';
const names = [
  'dns:bot.acme.example',
  'dns:*.acme.example',
  'ip:127.0.0.1',
  'ip:2001:db8::1',
  'uri:spiffe://acme/bot',
  'email:bot@acme.example',
];

/** Of both streams: where `req -verify` says what came of it depends on the version. */
function openssl(args: readonly string[], input: string): string {
  const { stdout, stderr, status } = spawnSync(findPeer('openssl') ?? 'openssl', args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout + stderr;
}

describe('a request', () => {
  it.each(keyAlgorithms)('is signed by its key, of %s, and contains the requested values', (algorithm) => {
    const privateKey = keyOf(algorithm);
    const request = certificateRequest({ privateKey, subject, names });
    expect(keyAlgorithmOf(privateKey)).toBe(algorithm);
    const nameOptions = 'RFC2253,-esc_msb,utf8,show_type';
    const output = openssl(['req', '-verify', '-noout', '-text', '-nameopt', nameOptions], request);
    expect(output).toContain('verify OK');
    expect(output).toContain(
      'Subject: emailAddress=IA5STRING:bot@acme.example+CN=UTF8STRING:bot\\, östlich,OU=UTF8STRING:Zwei  Worte\\ ,O=PRINTABLESTRING:Acme,' +
        'serialNumber=PRINTABLESTRING:7/8,DC=IA5STRING:acme,C=PRINTABLESTRING:DE\n',
    );
    expect(output).toContain(
      'DNS:bot.acme.example, DNS:*.acme.example, IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe://acme/bot, email:bot@acme.example',
    );
    const signed = { EC_P256: 'ecdsa-with-SHA256', EC_P384: 'ecdsa-with-SHA384' }[algorithm as string];
    expect(output).toContain(`Signature Algorithm: ${signed ?? 'sha256WithRSAEncryption'}`);
    expect(readCertificateRequest(request)?.isSigned).toBe(true);
  });

  it('can be for a key on P-521', () => {
    const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-521' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    expect(keyAlgorithmOf(privateKey)).toBeUndefined();
    const output = openssl(
      ['req', '-verify', '-noout', '-text'],
      certificateRequest({ privateKey, subject: 'CN=bot' }),
    );
    expect(output).toContain('verify OK');
    expect(output).toContain('Signature Algorithm: ecdsa-with-SHA512');
  });

  it('without names is a valid request', () => {
    const request = certificateRequest({ privateKey: ecKey, subject: 'CN=bot', names: [] });
    const output = openssl(['req', '-verify', '-noout', '-text'], request);
    expect(output).not.toContain('Alternative Name');
    expect(readCertificateRequest(request)?.alternativeNames).toBeUndefined();
  });

  it.skipIf(!findPeer('go'))('reads the same to Go (needs Go)', { timeout: 120_000 }, () => {
    const program = buildGo(`${import.meta.dirname}/../../support/issuers/programs/requests.go`, privateFolder());
    const requests = keyAlgorithms.map((name) => certificateRequest({ privateKey: keyOf(name), subject, names }));
    const lines = execFileSync(program, { input: requests.join(''), encoding: 'utf8' })
      .trim()
      .split('\n');
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(told).toHaveLength(keyAlgorithms.length);
    for (const [index, one] of told.entries()) {
      expect(one.Signed).toBe(true);
      expect(one.Subject).toBe(readCertificateRequest(requests[index] as string)?.subject.toString('hex'));
      expect(one.Names).toEqual([
        'bot.acme.example',
        '*.acme.example',
        'bot@acme.example',
        '127.0.0.1',
        '2001:db8::1',
        'spiffe://acme/bot',
      ]);
    }
  });

  it.skipIf(!findPeer('keytool'))('reads the same to Java (needs keytool)', { timeout: 120_000 }, () => {
    const folder = privateFolder();
    for (const name of ['EC_P384', 'RSA_2048'] as const) {
      const file = folder.write(name, certificateRequest({ privateKey: keyOf(name), subject, names }));
      // It refuses a request whose signature does not fit.
      const printed = execFileSync(findPeer('keytool') as string, ['-printcertreq', '-file', file], {
        encoding: 'utf8',
      });
      expect(printed).toContain('bot@acme.example');
      expect(printed).toContain('O=Acme');
      expect(printed).toContain('DNSName: bot.acme.example');
      expect(printed).toContain('IPAddress: 2001:db8:0:0:0:0:0:1');
    }
  });
});

describe('a request like a certificate', () => {
  /** What OpenSSL can put into a subject: four kinds of string, two attributes in one part, a mail address. */
  const configuration = [
    '[req]\ndistinguished_name=dn\nprompt=no\nstring_mask=MASK',
    '[dn]\nC=DE\nO=Acme GmbH\nCN=bot östlich\n+emailAddress=bot@acme.example\nOU=Ämter',
    '[ext]\nsubjectAltName=critical,DNS:bot.acme.example,IP:127.0.0.1,otherName:1.2.3.4;UTF8:acme\n',
  ].join('\n');

  it.each(['utf8only', 'MASK:0x0800', 'MASK:0x4', 'default'])(
    'has its subject and names byte for byte (%s)',
    (mask) => {
      const folder = privateFolder();
      const file = folder.write('req.cnf', configuration.replace('MASK', mask));
      const key = folder.write('key.pem', ecKey);
      const args = ['req', '-new', '-x509', '-utf8', '-key', key, '-config', file, '-extensions', 'ext'];
      const like = openssl(args, '');
      const request = certificateRequest({ privateKey: keyOf('RSA_2048'), like });
      const fields = readCertificateRequest(request);
      const { raw } = new X509Certificate(like);
      expect(fields?.subject.equals(readCertificateFields(raw)?.subject as Buffer)).toBe(true);
      expect(raw.includes(fields?.alternativeNames as Buffer)).toBe(true);
      const output = openssl(['req', '-verify', '-noout', '-text'], request);
      expect(output).toContain('verify OK');
      expect(output).toMatch(
        /Subject Alternative Name: critical\s+DNS:bot.acme.example, IP Address:127.0.0.1, othername/,
      );
    },
  );

  it('takes from the certificate only what the renewal does not give', () => {
    const { certificate: like } = createAuthority({ commonName: 'Root' }).issue({
      commonName: 'old',
      names: ['a.example'],
    });
    const renamed = readCertificateRequest(certificateRequest({ privateKey: ecKey, like, subject: 'CN=new' }));
    const same = readCertificateRequest(certificateRequest({ privateKey: ecKey, like, names: [] }));
    const whole = readCertificateRequest(certificateRequest({ privateKey: ecKey, like }));
    expect(renamed?.alternativeNames).toEqual(whole?.alternativeNames);
    expect(renamed?.subject).not.toEqual(whole?.subject);
    expect(same?.subject).toEqual(whole?.subject);
    expect(same?.alternativeNames).toBeUndefined();
    expect(whole?.alternativeNames).toBeDefined();
  });
});

describe('a request signature is invalid', () => {
  const request = certificateRequest({ privateKey: ecKey, subject: 'CN=bot' });
  const der = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64');
  const pemOf = (bytes: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;

  it('when a byte of it was changed', () => {
    expect(readCertificateRequest(pemOf(der))?.isSigned).toBe(true);
    const renamed = Buffer.from(der);
    renamed.write('cot', der.indexOf('bot'));
    expect(readCertificateRequest(pemOf(renamed))?.isSigned).toBe(false);
  });

  it('when it has another key', async () => {
    const other = await newPrivateKey('EC_P256');
    const spki = (key: string) =>
      readCertificateRequest(certificateRequest({ privateKey: key, subject: 'CN=bot' }))?.publicKey.export({
        type: 'spki',
        format: 'der',
      }) as Buffer;
    const stolen = Buffer.from(der);
    spki(other).copy(stolen, der.indexOf(spki(ecKey)));
    expect(readCertificateRequest(pemOf(stolen))?.isSigned).toBe(false);
  });

  it('when it is any bytes, and nothing is thrown', () => {
    const named = certificateRequest({ privateKey: ecKey, subject, names });
    const sound = Buffer.from(named.split('\n').slice(1, -2).join(''), 'base64');
    const damaged = fc.tuple(fc.nat(sound.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(sound);
      bytes[at] = byte;
      return bytes;
    });
    const what = (read: RequestFields | undefined) => [
      read?.subject.toString('hex'),
      read?.alternativeNames?.toString('hex'),
      read?.publicKey.export({ type: 'spki', format: 'pem' }),
    ];
    const cut = fc.nat(sound.length - 1).map((length) => sound.subarray(0, length));
    fc.assert(
      fc.property(fc.oneof(damaged, damaged, cut, fc.uint8Array({ maxLength: 200 }).map(Buffer.from)), (bytes) => {
        const read = readCertificateRequest(pemOf(bytes));
        // What the signature does not cover (the tag around it, say) may change; what it covers may not.
        if (read?.isSigned) expect(what(read)).toEqual(what(readCertificateRequest(named)));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(readCertificateRequest(text)).toBeUndefined();
        expect(keyAlgorithmOf(text)).toBeUndefined();
      }),
    );
  });
});
