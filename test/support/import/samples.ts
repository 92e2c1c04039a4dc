// One identity in every format: from OpenSSL, keytool and node-forge, and by hand for the rest.
import { execFileSync } from 'node:child_process';
import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  pbkdf2Sync,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import forge from 'node-forge';
import type { InputFile } from '../../../cli/import/contents.ts';
import { createAuthority, type KeyAlgorithm } from '../../../local/authority/authority.ts';
import { findPeer } from '../peers.ts';
import { contentOf, inside, integer, nothing, octetString, oid, sequence } from './encoded.ts';

export const keyTypes = ['RSA_2048', 'RSA_4096', 'EC_P256', 'EC_P384'] as const;
export type KeyType = (typeof keyTypes)[number];

/** A sentinel: no sentence may hold it. */
export const passphrase = 'Correct-Horse-7301';

export interface Subject {
  readonly keyType: KeyType;
  /** PEM, PKCS#8. */
  readonly privateKey: string;
  /** PEM: the client certificate, its issuers in order, the root. */
  readonly certificates: readonly [string, string, string, string];
}

export function createSubject(keyType: KeyType): Subject {
  const keyAlgorithm: KeyAlgorithm = keyType.startsWith('RSA') ? 'RSA_2048' : (keyType as 'EC_P256');
  // One chain of both kinds; node-forge reads none with an EC key in it.
  const upperKey: KeyAlgorithm = keyType === 'EC_P384' ? 'RSA_2048' : keyAlgorithm;
  const root = createAuthority({ commonName: 'Import root', keyAlgorithm });
  const upper = root.intermediate({ commonName: 'Import upper', keyAlgorithm: upperKey });
  const lower = upper.intermediate({ commonName: 'Import lower', keyAlgorithm });
  const request = { commonName: 'Import bot', usage: 'client', keyAlgorithm } as const;
  const issued = keyType === 'RSA_4096' ? lower.issue({ ...request, privateKey: rsa4096() }) : lower.issue(request);
  const certificates = [issued.certificate, lower.certificate, upper.certificate, root.certificate] as const;
  return { keyType, privateKey: issued.privateKey, certificates };
}

function rsa4096(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export const orders = {
  forwards: [0, 1, 2, 3],
  backwards: [3, 2, 1, 0],
  mixed: [2, 0, 3, 1],
} as const;
export type Order = keyof typeof orders;

export interface Workshop {
  readonly openssl: (...args: readonly string[]) => void;
  /** With the passphrase in each `-…pass` of it. */
  readonly keytool: (...args: readonly string[]) => void;
  write(name: string, content: string | Buffer): string;
  read(name: string): Buffer;
  close(): void;
}

export function openWorkshop(): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-import-'));
  const run = (program: string, args: readonly string[]) =>
    void execFileSync(program, args, { cwd: folder, stdio: 'pipe' });
  return {
    openssl: (...args) => run(findPeer('openssl') ?? 'openssl', args),
    keytool: (...args) =>
      run(findPeer('keytool') ?? 'keytool', ['-J-Xshare:auto', '-J-XX:TieredStopAtLevel=1', ...args]),
    write: (name, content) => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return name;
    },
    read: (name) => readFileSync(join(folder, name)),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export type Sample = readonly InputFile[];

export function textFile(name: string, text: string | Buffer): InputFile {
  return { name, bytes: Buffer.from(text as string) };
}

/** Certificates in that order. */
export function ordered({ certificates }: Subject, order: Order): string[] {
  return orders[order].map((index) => certificates[index] as string);
}

export function derOf(pem: string): Buffer {
  return Buffer.from(new X509Certificate(pem).raw);
}

export function keyDerOf(pem: string, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8'): Buffer {
  return createPrivateKey(pem).export({ type: type as 'pkcs8', format: 'der' });
}

/** Files of PEM and DER alone; nothing is encrypted, and no program is needed. */
export function plainSamples(subject: Subject, order: Order): Record<string, Sample> {
  const { privateKey } = subject;
  const chain = ordered(subject, order);
  const together = `${chain[0]}${privateKey}${chain.slice(1).join('')}`;
  const form = subject.keyType.startsWith('RSA') ? 'pkcs1' : 'sec1';
  const older = createPrivateKey(privateKey)
    .export({ type: form as 'pkcs1', format: 'pem' })
    .toString();
  const utf16 = Buffer.from(`\ufeff${together}`, 'utf16le');
  const crlf = together.replaceAll('\n', '\r\n');
  return {
    'PEM together': [textFile('all.pem', together)],
    'PEM apart': [textFile('k', privateKey), ...chain.map((pem, index) => textFile(`${index}`, pem))],
    'PEM, the key in its older form': [textFile('key.pem', older), textFile('chain.pem', chain.join('\n\n'))],
    'PEM with CRLF and a byte order mark': [textFile('all.pem', `\ufeff${crlf}`)],
    'PEM in UTF-16': [textFile('all.pem', utf16)],
    'PEM in UTF-16, big-endian, behind a long text': [
      textFile('all.pem', Buffer.from(`\ufeff${'A text. '.repeat(100)}\n${together}`, 'utf16le').swap16()),
    ],
    'PEM in UTF-16, big-endian, without a mark': [textFile('all.pem', Buffer.from(utf16.subarray(2)).swap16())],
    'PEM with text around, indented': [
      textFile('all.yaml', `secret: |\n${together.replaceAll(/^/gm, '    ')}\n# end\n`),
    ],
    'PEM with its line breaks spelled out': [textFile('all.txt', together.replaceAll('\n', '\\n'))],
    'DER apart': [textFile('key', keyDerOf(privateKey)), ...chain.map((pem) => textFile('c', derOf(pem)))],
    'DER, the key in its older form': [
      textFile('key', keyDerOf(privateKey, form)),
      ...chain.map((pem) => textFile('c', derOf(pem))),
    ],
    'DER one after the other': [textFile('all.der', Buffer.concat([...chain.map(derOf), keyDerOf(privateKey)]))],
    'base64 without its lines': [
      textFile('key.txt', keyDerOf(privateKey).toString('base64')),
      ...chain.map((pem) => textFile('c.txt', derOf(pem).toString('base64'))),
    ],
  };
}

/** Arguments of `openssl pkcs12 -export`. */
export const pkcs12Kinds: Readonly<Record<string, readonly string[]>> = {
  'PKCS#12, AES-256 as OpenSSL 3 writes it': [],
  'PKCS#12, AES-128 and a MAC of SHA-512': ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-128-CBC', '-macalg', 'sha512'],
  'PKCS#12, RC2-40 and 3DES': ['-legacy'],
  'PKCS#12, 3DES alone': ['-legacy', '-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES'],
  'PKCS#12, RC2-128 and two-key 3DES': ['-legacy', '-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-RC2-128'],
  'PKCS#12, RC4': ['-legacy', '-keypbe', 'PBE-SHA1-RC4-128', '-certpbe', 'PBE-SHA1-RC4-40'],
  'PKCS#12 without a MAC': ['-nomac'],
  'PKCS#12 with nothing encrypted': ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac'],
};

/** Arguments of `openssl pkcs8 -topk8`, or of `openssl pkey -traditional`. */
export const encryptedKeyKinds: Readonly<Record<string, readonly string[]>> = {
  'PKCS#8, AES-256 and PBKDF2': ['pkcs8', '-topk8', '-v2', 'aes-256-cbc'],
  'PKCS#8, AES-128, HMAC of SHA-512': ['pkcs8', '-topk8', '-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA512'],
  'PKCS#8, AES-192, HMAC of SHA-1': ['pkcs8', '-topk8', '-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA1'],
  'PKCS#8, 3DES and PBKDF2': ['pkcs8', '-topk8', '-v2', 'des3'],
  'PKCS#8, RC2 and PBKDF2': ['pkcs8', '-topk8', '-v2', 'rc2-64-cbc'],
  'PKCS#8, scrypt': ['pkcs8', '-topk8', '-scrypt'],
  'PKCS#8 in DER': ['pkcs8', '-topk8', '-outform', 'der'],
  'PKCS#8, PBES1 with MD5 and DES': ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES'],
  'PKCS#8, PBES1 with SHA-1 and RC2': ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC2-64'],
  'PKCS#8, 3DES as PKCS#12 has it': ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES'],
  'PKCS#8, RC2-40 as PKCS#12 has it': ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC2-40'],
  'PEM with DEK-Info, AES-256': ['pkey', '-traditional', '-aes256'],
  'PEM with DEK-Info, 3DES': ['pkey', '-traditional', '-des3'],
  'PEM with DEK-Info, DES': ['pkey', '-traditional', '-des'],
};

export function exportPkcs12(
  { openssl, write, read }: Workshop,
  subject: Subject,
  order: Order,
  args: readonly string[],
  secret = passphrase,
): Buffer {
  write('key.pem', subject.privateKey);
  write('leaf.pem', subject.certificates[0]);
  write(
    'rest.pem',
    ordered(subject, order)
      .filter((pem) => pem !== subject.certificates[0])
      .join(''),
  );
  const names = ['-inkey', 'key.pem', '-in', 'leaf.pem', '-certfile', 'rest.pem', '-out', 'out.p12'];
  const called = args.includes('-name') ? [] : ['-name', 'bot'];
  const passout = args.includes('-passout') ? [] : ['-passout', `pass:${secret}`];
  openssl('pkcs12', '-export', ...args, ...called, ...names, ...passout);
  return read('out.p12');
}

export function encryptKey({ openssl, write, read }: Workshop, privateKey: string, args: readonly string[]): Buffer {
  write('key.pem', privateKey);
  const providers = ['-provider', 'legacy', '-provider', 'default'];
  openssl(...args, ...providers, '-in', 'key.pem', '-out', 'out.key', '-passout', `pass:${passphrase}`);
  return read('out.key');
}

export function toPkcs7(
  { openssl, write, read }: Workshop,
  certificates: readonly string[],
  form: 'pem' | 'der',
): Buffer {
  write('chain.pem', certificates.join(''));
  openssl('crl2pkcs7', '-nocrl', '-certfile', 'chain.pem', '-outform', form, '-out', 'chain.p7b');
  return read('chain.p7b');
}

/** What keytool makes of a PKCS#12 file. */
export function convertByKeytool(
  { keytool, write, read }: Workshop,
  pkcs12: Buffer,
  type: 'JKS' | 'JCEKS' | 'PKCS12',
  { keyPassphrase = passphrase, options = [] }: { keyPassphrase?: string; options?: readonly string[] } = {},
): Buffer {
  const name = `${randomBytes(4).toString('hex')}.${type.toLowerCase()}`;
  write('in.p12', pkcs12);
  const from = ['-srckeystore', 'in.p12', '-srcstoretype', 'PKCS12', '-srcstorepass', passphrase, '-srcalias', 'bot'];
  const to = ['-destkeystore', name, '-deststoretype', type, '-deststorepass', passphrase];
  const key = type === 'PKCS12' ? [] : ['-destkeypass', keyPassphrase];
  keytool(...options, '-importkeystore', '-noprompt', ...from, ...to, ...key);
  return read(name);
}

/** node-forge has no EC keys. Without a passphrase it encrypts nothing, and makes the MAC of no octets. */
export function exportByForge(
  subject: Subject,
  order: Order,
  algorithm: '3des' | 'aes128' | 'aes256',
  secret: string | null = passphrase,
): Buffer {
  const pems = [subject.certificates[0], ...ordered(subject, order).filter((pem) => pem !== subject.certificates[0])];
  const store = forge.pkcs12.toPkcs12Asn1(
    forge.pki.privateKeyFromPem(subject.privateKey),
    pems.map((pem) => forge.pki.certificateFromPem(pem)),
    secret as string,
    {
      algorithm,
      friendlyName: 'bot',
      generateLocalKeyId: true,
      count: 2048,
    },
  );
  return Buffer.from(forge.asn1.toDer(store).getBytes(), 'binary');
}

const pbmac1 = '1.2.840.113549.1.5.14';
const pbkdf2 = '1.2.840.113549.1.5.12';

/** RFC 9579, section 4, put behind a PKCS#12 file without a MAC: OpenSSL writes it from 3.4 on. */
export function withPbmac1(store: Buffer, digest: 'sha256' | 'sha512' = 'sha256', iterations = 2048): Buffer {
  const [version, authSafe] = inside(store) as [Buffer, Buffer];
  const safe = contentOf(inside(inside(authSafe)[1] as Buffer)[0] as Buffer);
  const salt = randomBytes(16);
  const length = digest === 'sha256' ? 32 : 64;
  const hmac = sequence(oid(digest === 'sha256' ? '1.2.840.113549.2.9' : '1.2.840.113549.2.11'), nothing);
  const kdf = sequence(oid(pbkdf2), sequence(octetString(salt), integer(iterations), integer(length), hmac));
  const key = pbkdf2Sync(passphrase, salt, iterations, length, digest);
  const mac = createHmac(digest, key).update(safe).digest();
  const algorithm = sequence(oid(pbmac1), sequence(kdf, hmac));
  const macData = sequence(sequence(algorithm, octetString(mac)), octetString(Buffer.from('NOT USED')));
  return sequence(version, authSafe, macData);
}
