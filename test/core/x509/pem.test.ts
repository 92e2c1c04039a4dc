import { createPrivateKey } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { canonicalPem, pemBlocks, readPem, writePem } from '../../../core/x509/pem.ts';
import { createSubject, derOf, encryptedKeyKinds, encryptKey, openWorkshop } from '../../support/import/samples.ts';
import { pemForms } from '../../support/pem-forms.ts';

const workshop = openWorkshop();
afterAll(() => workshop.close());
const { privateKey, certificates } = createSubject('EC_P256');
const [leaf, issuer] = certificates;
const all = `${privateKey}${leaf}${issuer}`;

describe('one reader reads PEM', () => {
  it.each(Object.entries(pemForms))('%s', (_name, form) => {
    expect(canonicalPem(Buffer.from(form(all) as string))).toBe(all);
  });

  it('beside text with percent signs, ampersands and backslashes', () => {
    const noisy = `100 % of C:\\new & <b>\n${all}# \\n %0A\n`;
    expect(canonicalPem(Buffer.from(noisy))).toBe(all);
  });

  it('with headers on one line', () => {
    const encrypted = encryptKey(
      workshop,
      privateKey,
      encryptedKeyKinds['PEM with DEK-Info, AES-256'] ?? [],
    ).toString();
    const [block] = readPem(encrypted);
    const [flat] = readPem(encrypted.replaceAll('\n', ' '));
    expect(flat?.headers).toEqual(block?.headers);
    expect(flat?.bytes).toEqual(block?.bytes);
    expect(flat?.headers.get('dek-info')).toMatch(/^AES-256-CBC,[0-9A-F]{32}$/);
  });
});

describe('a PEM label is read as', () => {
  const labelled = (label: string, pem: string) => pem.replaceAll(/(?<=BEGIN |END )[A-Z ]+(?=-----)/g, label);
  const textOf = (pem: string | Buffer) => readPem(String(pem)).map(({ text }) => text);

  it('a certificate: the labels of OpenSSL', () => {
    workshop.write('leaf.pem', leaf);
    workshop.openssl('x509', '-in', 'leaf.pem', '-trustout', '-addtrust', 'clientAuth', '-out', 'trusted.pem');
    const trusted = workshop.read('trusted.pem');
    expect(trusted.toString()).toContain('BEGIN TRUSTED CERTIFICATE');
    expect(textOf(trusted)).toEqual([leaf]);
    expect(textOf(labelled('X509 CERTIFICATE', leaf))).toEqual([leaf]);
  });

  it.each(['PKCS7', 'CMS', 'PKCS #7 SIGNED DATA', 'CERTIFICATE'])(
    'certificates: PKCS#7 under the label %s',
    (label) => {
      workshop.write('two.pem', leaf + issuer);
      workshop.openssl('crl2pkcs7', '-nocrl', '-certfile', 'two.pem', '-out', 'two.p7b');
      expect(textOf(labelled(label, workshop.read('two.p7b').toString()))).toEqual([leaf, issuer]);
    },
  );

  it.each(['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'ANY PRIVATE KEY'])(
    'the actual form of the key, under the label %s',
    (label) => {
      const sec1 = createPrivateKey(privateKey).export({ type: 'sec1', format: 'pem' }).toString();
      expect(textOf(labelled(label, privateKey))).toEqual([privateKey]);
      expect(textOf(labelled(label, sec1))).toEqual([sec1]);
    },
  );

  it('other labels are left unchanged', () => {
    const request = writePem('CERTIFICATE REQUEST', derOf(leaf));
    expect(readPem(request)).toMatchObject([{ label: 'CERTIFICATE REQUEST', text: request }]);
    expect(readPem(writePem('PKCS7', Buffer.from('3003020101', 'hex')))).toMatchObject([{ label: 'PKCS7' }]);
  });
});

describe('damaged PEM is not repaired', () => {
  it('a block without its END line', () => {
    expect(readPem(leaf.slice(0, -30))).toMatchObject([{ label: 'CERTIFICATE', hasEnd: false }]);
    expect(() => pemBlocks(leaf.slice(0, -30), 'certificate')).toThrow('does not end');
  });

  it('a character that is not base64', () => {
    expect(readPem(leaf.replace(/\n./, '\n*'))).toMatchObject([{ bytes: undefined }]);
  });

  it('text without PEM is returned as it is', () => {
    expect(canonicalPem(Buffer.from('no \\n PEM'))).toBe('no \\n PEM');
    expect(canonicalPem(Buffer.from('LS0t'))).toBe('LS0t');
  });
});

it('reading takes linear time', () => {
  // 1 MiB is the most that an import reads. Quadratic time would be minutes.
  for (const text of ['LS0tLS1CRUdJTi', '-----BEGIN A-----', '\\\\\\', '" ', 'AAAA ']) {
    readPem(`-----BEGIN A-----${text.repeat(1_048_576 / text.length)}`);
    readPem(text.repeat(1_048_576 / text.length));
  }
}, 20_000);
