// Ten thousand damaged files of every format: each ends in findings or the identity, and no output contains a secret.
import { afterAll, describe, expect, it } from 'vitest';
import { identityFrom } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { dsaKey, explicitKey, rsaKey } from '../../support/import/keys.ts';
import { mutated, randomFrom } from '../../support/import/mutations.ts';
import {
  convertByKeytool,
  createSubject,
  derOf,
  encryptKey,
  exportPkcs12,
  keyDerOf,
  openWorkshop,
  passphrase,
  textFile,
  toPkcs7,
  withPbmac1,
} from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

const files = 10_000;
const workshop = openWorkshop();
afterAll(() => workshop.close());

const now = Date.now();
const subject = createSubject('EC_P256');
const rest = textFile('rest.pem', `${subject.privateKey}${subject.certificates.join('')}`);
const base64 = subject.privateKey.split('\n').slice(1, 3).join('');
const secrets = [
  passphrase,
  base64.slice(40, 80),
  '-----BEGIN',
  keyDerOf(subject.privateKey).toString('hex').slice(80, 120),
];

/** One iteration where the programs let it be chosen: what is tried is the reading, not the work. */
function samples(): Buffer[] {
  const once = ['-iter', '1', '-nomaciter'];
  const store = (...args: string[]) => exportPkcs12(workshop, subject, 'mixed', [...once, ...args]);
  const key = (...args: string[]) => encryptKey(workshop, subject.privateKey, ['pkcs8', '-topk8', ...args]);
  const modern = store();
  const javaOnce = ['keyPbe', 'certPbe', 'mac'].map((what) => `-J-Dkeystore.pkcs12.${what}IterationCount=1`);
  return [
    Buffer.from(`${subject.privateKey}${subject.certificates.join('')}`),
    Buffer.concat([keyDerOf(subject.privateKey), ...subject.certificates.map(derOf)]),
    keyDerOf(subject.privateKey, 'sec1'),
    keyDerOf(createSubject('RSA_2048').privateKey, 'pkcs1'),
    modern,
    store('-legacy'),
    store('-nomac'),
    store('-nomac', '-keypbe', 'NONE', '-certpbe', 'NONE'),
    withPbmac1(store('-nomac'), 'sha256', 1),
    key('-iter', '1'),
    key('-iter', '1', '-outform', 'der'),
    key('-v1', 'PBE-MD5-DES', '-iter', '1', '-outform', 'der'),
    key('-scrypt', '-scrypt_N', '16', '-scrypt_r', '1', '-scrypt_p', '1', '-outform', 'der'),
    encryptKey(workshop, subject.privateKey, ['pkey', '-traditional', '-aes256']),
    toPkcs7(workshop, subject.certificates, 'der'),
    // What strangers make to keep a processor or a terminal busy.
    dsaKey(),
    rsaKey(20_000),
    explicitKey().pkcs8,
    Buffer.alloc(3_000, '3000', 'hex'),
    ...(findPeer('keytool')
      ? [convertByKeytool(workshop, modern, 'JKS'), convertByKeytool(workshop, modern, 'PKCS12', { options: javaOnce })]
      : []),
  ];
}

describe.skipIf(!findPeer('openssl'))('damaged files (needs openssl)', () => {
  it(`${files} of them end in findings or in the identity`, { timeout: 120_000 }, async () => {
    const whole = samples();
    const random = randomFrom(20_261_122);
    const codes = new Map<string, number>();
    for (let count = 0; count < files; count++) {
      const bytes = mutated(whole[count % whole.length] as Buffer, whole, random);
      const asked: string[] = [];
      const contents = await readFiles([textFile('damaged', bytes)], async ({ name }) => {
        asked.push(name);
        return passphrase;
      });
      const alone = identityFrom(contents, { now, publicRoots: [] });
      if ('document' in alone) expect(alone.document.privateKey).toBe(subject.privateKey);
      const findings = 'document' in alone ? alone.warnings : alone;
      expect('document' in alone || findings.length > 0).toBe(true);
      const text = JSON.stringify({
        findings,
        notes: contents.notes,
        asked,
        chain: 'chain' in alone ? alone.chain : [],
      });
      for (const secret of secrets) if (text.includes(secret)) expect.fail(`File ${count} told a secret.`);
      for (const { code } of findings) codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // The damage reaches every kind of reading.
    for (const code of [
      'file-damaged',
      'store-damaged',
      'key-damaged',
      'certificate-damaged',
      'passphrase-wrong',
      'pem-damaged',
    ]) {
      expect(codes.get(code), code).toBeGreaterThan(20);
    }
  });

  it('a damaged file beside a sound identity prevents the import, or changes nothing', {
    timeout: 60_000,
  }, async () => {
    const whole = samples();
    const random = randomFrom(9_579);
    for (let count = 0; count < 500; count++) {
      const bytes = mutated(whole[count % whole.length] as Buffer, whole, random);
      const contents = await readFiles([rest, textFile('damaged', bytes)], async () => passphrase);
      const result = identityFrom(contents, { now, publicRoots: [] });
      if ('document' in result) expect(result.document.privateKey).toBe(subject.privateKey);
      else expect(result.some(({ severity }) => severity === 'error')).toBe(true);
    }
  });
});
