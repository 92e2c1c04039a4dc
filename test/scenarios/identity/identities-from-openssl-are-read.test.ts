// Keys and certificates from the openssl command, read and checked as identities.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIdentity } from '../../../core/identity/check.ts';
import { serverRefusal } from '../../../core/tls/identity-proof.ts';
import { failureOf, store } from '../../support/identity/identities.ts';
import { findPeer } from '../../support/peers.ts';

const program = findPeer('openssl') ?? '';
let folder: string;

beforeAll(() => {
  if (!program) return;
  folder = mkdtempSync(join(tmpdir(), 'countersign-openssl-'));
  certify('root', { basicConstraints: 'critical,CA:TRUE' }, { key: ['RSA', 'rsa_keygen_bits:3072'] });
  certify(
    'issuer',
    { basicConstraints: 'critical,CA:TRUE,pathlen:0', keyUsage: 'critical,keyCertSign' },
    { by: 'root' },
  );
});

afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const path = (file: string) => join(folder, file);
const read = (file: string) => readFileSync(path(file), 'utf8');
const openssl = (...args: string[]) => execFileSync(program, args, { cwd: folder, stdio: 'pipe' });

interface Making {
  /** The algorithm and one option, as `openssl genpkey` takes them. */
  readonly key?: readonly [string, string];
  readonly by?: string;
  readonly signing?: readonly string[];
}

/** Makes `<name>.key` and `<name>.crt`, signed by `<by>`, or self-signed. */
function certify(name: string, extensions: Record<string, string>, { key, by, signing = [] }: Making = {}): void {
  const [algorithm, option] = key ?? ['EC', 'ec_paramgen_curve:P-256'];
  openssl('genpkey', '-algorithm', algorithm, '-pkeyopt', option, '-out', `${name}.key`);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/O=Test/CN=${name}`, '-out', `${name}.csr`);
  const lines = Object.entries(extensions).map(([field, value]) => `${field}=${value}\n`);
  writeFileSync(path(`${name}.cnf`), lines.join(''));
  const issuer =
    by === undefined ? ['-signkey', `${name}.key`] : ['-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...issuer,
    '-days',
    '30',
    '-extfile',
    `${name}.cnf`,
    '-out',
    `${name}.crt`,
    ...signing,
  );
}

function check(leaf: string, issuers: readonly string[] = ['issuer'], privateKey = read(`${leaf}.key`)) {
  const document = {
    privateKey,
    certificate: read(`${leaf}.crt`),
    intermediateCertificates: issuers.map((name) => read(`${name}.crt`)).join(''),
    rootCertificate: read('root.crt'),
  };
  return checkIdentity('platform', store(document), Date.now());
}

const reasonOf = async (run: () => unknown) => (await failureOf(run)).evidence?.reason;
const clientAuth = { extendedKeyUsage: 'clientAuth' };

describe.skipIf(!program)('files of the openssl command are read (needs openssl)', () => {
  it('an EC key below an RSA root, its key in PKCS#8, and in SEC1 with the parameters before it', () => {
    certify('ec', clientAuth, { by: 'issuer' });
    expect(check('ec').name).toBe('platform');
    openssl('ecparam', '-name', 'prime256v1', '-out', 'parameters.pem');
    const sec1 = openssl('ec', '-in', 'ec.key').toString();
    const identity = check('ec', ['issuer'], read('parameters.pem') + sec1);
    expect(identity.privateKey).toMatch(/^-----BEGIN EC PRIVATE KEY-----[^-]*-----END EC PRIVATE KEY-----\n$/);
  });

  it('an RSA key, in PKCS#1', () => {
    certify('rsa', clientAuth, { by: 'issuer', key: ['RSA', 'rsa_keygen_bits:2048'] });
    const pkcs1 = openssl('rsa', '-in', 'rsa.key', '-traditional').toString();
    expect(check('rsa', ['issuer'], pkcs1).privateKey).toContain('BEGIN RSA PRIVATE KEY');
  });

  it('an encrypted PKCS#1 key is rejected as encrypted', async () => {
    certify('locked', clientAuth, { by: 'issuer', key: ['RSA', 'rsa_keygen_bits:2048'] });
    const key = openssl('rsa', '-in', 'locked.key', '-traditional', '-aes256', '-passout', 'pass:x').toString();
    expect(key).toContain('Proc-Type: 4,ENCRYPTED');
    expect(await reasonOf(() => check('locked', ['issuer'], key))).toBe('key-encrypted');
  });

  it('a certificate without extensions, with any usage, and on P-521', () => {
    certify('bare', {}, { by: 'issuer' });
    certify('any', { extendedKeyUsage: 'anyExtendedKeyUsage' }, { by: 'issuer' });
    certify('p521', clientAuth, { by: 'issuer', key: ['EC', 'ec_paramgen_curve:P-521'] });
    for (const leaf of ['bare', 'any', 'p521']) expect(check(leaf).name).toBe('platform');
  });

  it('a signature of RSASSA-PSS by its hash', async () => {
    const pss = (hash: string) => ['-sigopt', 'rsa_padding_mode:pss', `-${hash}`];
    for (const hash of ['sha256', 'sha384', 'sha512']) {
      certify(`pss-${hash}`, clientAuth, { by: 'root', signing: pss(hash) });
      expect(check(`pss-${hash}`, []).name).toBe('platform');
    }
    certify('pss-sha1', clientAuth, { by: 'root', signing: pss('sha1') });
    expect(await reasonOf(() => check('pss-sha1', []))).toBe('weak-signature');
  });

  it('SHA-224 as an unknown signature algorithm', async () => {
    certify('sha224', clientAuth, { by: 'root', signing: ['-sha224'] });
    expect(await reasonOf(() => check('sha224', []))).toBe('unknown-signature');
  });

  it('a key on another curve, and with another algorithm', async () => {
    certify('k1', clientAuth, { by: 'issuer', key: ['EC', 'ec_paramgen_curve:secp256k1'] });
    expect(await reasonOf(() => check('k1'))).toBe('weak-key');
    openssl('genpkey', '-algorithm', 'ED25519', '-out', 'ed.key');
    openssl('req', '-new', '-key', 'ed.key', '-subj', '/CN=ed', '-out', 'ed.csr');
    openssl(
      'x509',
      '-req',
      '-in',
      'ed.csr',
      '-CA',
      'issuer.crt',
      '-CAkey',
      'issuer.key',
      '-CAcreateserial',
      '-out',
      'ed.crt',
    );
    expect(await reasonOf(() => check('ed'))).toBe('key-type');
  });

  it('the limits that issuers carry: path length, authority, key usage, extended key usage', async () => {
    const authority = { basicConstraints: 'critical,CA:TRUE' };
    certify('too-deep', authority, { by: 'issuer' });
    certify('below-too-deep', clientAuth, { by: 'too-deep' });
    expect(await reasonOf(() => check('below-too-deep', ['too-deep', 'issuer']))).toBe('path-too-long');

    certify('no-authority', { basicConstraints: 'CA:FALSE' }, { by: 'root' });
    certify('below-no-authority', clientAuth, { by: 'no-authority' });
    expect(await reasonOf(() => check('below-no-authority', ['no-authority']))).toBe('issuer-not-authority');

    certify('no-signing', { ...authority, keyUsage: 'cRLSign' }, { by: 'root' });
    certify('below-no-signing', clientAuth, { by: 'no-signing' });
    expect(await reasonOf(() => check('below-no-signing', ['no-signing']))).toBe('key-usage');

    certify('servers-alone', { ...authority, extendedKeyUsage: 'serverAuth' }, { by: 'root' });
    certify('below-servers-alone', clientAuth, { by: 'servers-alone' });
    expect(await reasonOf(() => check('below-servers-alone', ['servers-alone']))).toBe('extended-key-usage');
  });

  it('a critical extension that servers may not know is found by the handshake, not by a rule', async () => {
    const authority = { basicConstraints: 'critical,CA:TRUE' };
    const unknown = { '1.2.3.4.5': 'critical,DER:0500' };
    certify('told', { ...clientAuth, '1.2.3.4.5': 'DER:0500' }, { by: 'issuer' });
    expect(check('told').name).toBe('platform');
    certify('unknown', { ...clientAuth, ...unknown }, { by: 'issuer' });
    expect((await serverRefusal(check('unknown')))?.sentence).toContain(
      'A server that trusts the root refuses the identity',
    );
    certify('unknown-issuer', { ...authority, ...unknown }, { by: 'root' });
    certify('below-unknown', clientAuth, { by: 'unknown-issuer' });
    expect(await serverRefusal(check('below-unknown', ['unknown-issuer']))).toBeDefined();
    expect(await serverRefusal(check('told'))).toBeUndefined();
  });

  it('every critical extension that OpenSSL itself knows of those in RFC 5280', () => {
    const all = {
      basicConstraints: 'critical,CA:TRUE',
      keyUsage: 'critical,keyCertSign',
      certificatePolicies: 'critical,1.2.3.4',
      policyConstraints: 'critical,inhibitPolicyMapping:0',
      inhibitAnyPolicy: 'critical,0',
      nameConstraints: 'critical,permitted;dirName:test',
      crlDistributionPoints: 'critical,URI:http://crl.example/',
      subjectAltName: 'critical,DNS:issuer.example',
      extendedKeyUsage: 'critical,clientAuth',
      '[test]\nO': 'Test',
    };
    certify('all', all, { by: 'root' });
    certify('below-all', { ...clientAuth, subjectAltName: 'critical,DNS:bot.example' }, { by: 'all' });
    expect(check('below-all', ['all']).name).toBe('platform');
    const verdict = openssl(
      'verify',
      '-purpose',
      'sslclient',
      '-CAfile',
      'root.crt',
      '-untrusted',
      'all.crt',
      'below-all.crt',
    );
    expect(verdict.toString()).toContain('OK');
  });

  it('a client certificate whose key usage allows no signature', async () => {
    certify('no-signature', { ...clientAuth, keyUsage: 'keyEncipherment' }, { by: 'issuer' });
    expect(await reasonOf(() => check('no-signature'))).toBe('key-usage');
  });

  it('every accepted identity passes openssl verify for a TLS client', () => {
    for (const leaf of ['ec', 'rsa', 'bare', 'p521']) {
      const verdict = openssl(
        'verify',
        '-purpose',
        'sslclient',

        '-CAfile',
        'root.crt',
        '-untrusted',
        'issuer.crt',
        `${leaf}.crt`,
      );
      expect(verdict.toString()).toContain('OK');
    }
  });
});
