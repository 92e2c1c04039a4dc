// Reads keys and certificates from JKS and JCEKS (sun.security.provider.JavaKeyStore, com.sun.crypto.provider).
import { createHash, hash, timingSafeEqual } from 'node:crypto';
import { oidOf, readOnlyBer } from '../../core/x509/der.ts';
import { decipher } from './ciphers.ts';
import type { Collector } from './collector.ts';
import { type Derivation, type Secret, saltAndIterations } from './derive.ts';
import { decrypt, encryptedParts } from './encrypted.ts';
import { looksLikeKey } from './encrypted-key.ts';
import { refused } from './finding.ts';
import { most } from './limits.ts';

const magic = { jks: 0xfeedfeed, jceks: 0xcececece } as const;
type Kind = keyof typeof magic;

export function javaKeystoreKind(bytes: Buffer): Kind | undefined {
  const first = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0;
  return first === magic.jks ? 'jks' : first === magic.jceks ? 'jceks' : undefined;
}

interface KeyEntry {
  readonly alias: string;
  readonly encrypted: Buffer;
}

interface Entries {
  readonly keys: readonly KeyEntry[];
  readonly certificates: readonly { readonly alias: string; readonly der: Buffer }[];
  /** Where the digest begins; undefined when an entry could not be passed over. */
  readonly end: number | undefined;
}

/** Certificates are readable without the passphrase; keys, and that nothing was changed, are not. */
export async function readJavaKeystore(bytes: Buffer, kind: Kind, where: string, collector: Collector): Promise<void> {
  const entries = readEntries(bytes, where, collector);
  for (const { der, alias } of entries.certificates) {
    await collector.object(where, () => collector.certificate(der, `${where} (${alias})`, alias));
  }
  if (entries.keys.length === 0 && entries.certificates.length === 0) {
    throw refused('store-empty', where, `${where} is a Java keystore without a private key or certificate.`);
  }
  if (entries.keys.length === 0) {
    collector.note(`${where} holds certificates alone; its passphrase was not needed, and its digest not checked.`);
    return;
  }
  const needed = `${where} is a Java keystore whose private key is encrypted, and there is no passphrase for it.`;
  const secret = await collector.secret({ name: where, kind }, needed);
  const isWhole = isDigestRight(bytes, entries.end, secret);
  const opened: KeyEntry[] = [];
  const closed: KeyEntry[] = [];
  for (const entry of entries.keys) {
    await collector.object(where, async () => {
      const plain = await openKey(entry, secret, where, collector);
      if (plain === undefined) return void closed.push(entry);
      opened.push(entry);
      collector.key(plain, 'pkcs8', `${where} (${entry.alias})`, entry.alias);
    });
  }
  if (!isWhole) throw opened.length > 0 ? changed(where) : wrong(where);
  for (const entry of closed) await collector.attempt(() => readWithOwnPassphrase(entry, where, collector));
}

/** keytool's `-keypass`: JKS and JCEKS let each key have a passphrase of its own. */
async function readWithOwnPassphrase(entry: KeyEntry, where: string, collector: Collector): Promise<void> {
  const name = `${where} (${entry.alias})`;
  const needed = `The private key in ${name} does not open with the passphrase of the keystore, and there is no other for it.`;
  const secret = await collector.secret({ name, kind: 'store-key' }, needed);
  const plain = await openKey(entry, secret, where, collector);
  if (plain === undefined) {
    const sentence = `The private key in ${name} opens with no passphrase that was given, or it is damaged.`;
    throw refused('passphrase-wrong', name, sentence);
  }
  collector.key(plain, 'pkcs8', name, entry.alias);
}

/** Entry kinds of the file: 1 a private key with its chain, 2 a certificate that is trusted, 3 (JCEKS) a secret key. */
function readEntries(bytes: Buffer, where: string, collector: Collector): Entries {
  let at = 4;
  const take = (length: number): Buffer => {
    const piece = bytes.subarray(at, at + length);
    if (piece.length < length) throw damaged(where);
    at += length;
    return piece;
  };
  const int = () => take(4).readUInt32BE(0);
  // java.io.DataOutput's modified UTF-8 differs from UTF-8 in NUL and beyond the BMP; it is only shown.
  const text = () => take(take(2).readUInt16BE(0)).toString('utf8');
  const version = int();
  if (version !== 1 && version !== 2) throw damaged(where);
  const certificate = () => {
    if (version === 2 && text() !== 'X.509') throw damaged(where);
    return take(int());
  };
  const keys: KeyEntry[] = [];
  const certificates: { alias: string; der: Buffer }[] = [];
  const allow = (entries: number) => {
    if (entries <= most.objects) return;
    throw refused('too-many-objects', where, `${where} holds more than ${most.objects} entries.`);
  };
  const count = int();
  allow(count);
  for (let entry = 0; entry < count; entry++) {
    const kind = int();
    const alias = text();
    take(8);
    if (kind === 1) {
      keys.push({ alias, encrypted: take(int()) });
      const length = int();
      allow(certificates.length + length);
      for (let index = 0; index < length; index++) certificates.push({ alias, der: certificate() });
    } else if (kind === 2) {
      certificates.push({ alias, der: certificate() });
    } else if (kind === 3) {
      // A serialized Java object without a length: what stands behind it cannot be found.
      const sentence = `${where} (${alias}) is a secret key, and what stands behind it in the keystore cannot be read.`;
      collector.finding('secret-key', where, sentence);
      return { keys, certificates, end: undefined };
    } else throw damaged(where);
  }
  return { keys, certificates, end: at };
}

/** SHA-1 over the passphrase, a phrase, and all that stands before it. */
function isDigestRight(bytes: Buffer, end: number | undefined, secret: Secret): boolean {
  const at = end ?? bytes.length - 20;
  const expected = bytes.subarray(at);
  const digest = createHash('sha1')
    .update(secret.utf16)
    .update('Mighty Aphrodite')
    .update(bytes.subarray(0, at))
    .digest();
  return expected.length === digest.length && timingSafeEqual(expected, digest);
}

const protections = {
  jks: '1.3.6.1.4.1.42.2.17.1.1',
  jceks: '1.3.6.1.4.1.42.2.19.1',
} as const;

/** PKCS#8, or undefined when the passphrase is not the one of this key. Throws `store-damaged`. */
async function openKey(
  { encrypted, alias }: KeyEntry,
  secret: Secret,
  file: string,
  collector: Collector,
): Promise<Buffer | undefined> {
  const where = `${file} (${alias})`;
  const node = readOnlyBer(encrypted, where);
  const parts = node && encryptedParts(node);
  if (!parts) throw damaged(where);
  const derivation = { where, allowance: collector.allowance };
  const name = oidOf(parts.algorithm?.children[0]);
  let plain: Buffer | undefined;
  if (name === protections.jks) plain = openJks(parts.bytes, secret);
  else if (name === protections.jceks) {
    const parameters = parts.algorithm?.children[1];
    plain = openJceks(saltAndIterations(parameters), parts.bytes, secret, derivation);
  } else plain = await decrypt(parts.algorithm, parts.bytes, secret, derivation);
  return plain && looksLikeKey(plain, where) ? plain : undefined;
}

/** A salt, the key under a stream of SHA-1, and a SHA-1 that proves the passphrase; 20 octets for each digest. */
function openJks(bytes: Buffer, { utf16 }: Secret): Buffer | undefined {
  if (bytes.length < 40) return undefined;
  const plain = Buffer.from(bytes.subarray(20, -20));
  let stream: Buffer = bytes.subarray(0, 20);
  for (let at = 0; at < plain.length; at += 20) {
    stream = hash('sha1', Buffer.concat([utf16, stream]), 'buffer');
    for (let index = 0; index < 20 && at + index < plain.length; index++) {
      plain[at + index] = (plain[at + index] as number) ^ (stream[index] as number);
    }
  }
  const proof = hash('sha1', Buffer.concat([utf16, plain]), 'buffer');
  return timingSafeEqual(proof, bytes.subarray(-20)) ? plain : undefined;
}

/** PBEWithMD5AndTripleDES as com.sun.crypto.provider has it: each half of the salt is hashed separately. */
function openJceks(
  given: { salt: Buffer; iterations: number } | undefined,
  bytes: Buffer,
  secret: Secret,
  { where, allowance }: Derivation,
): Buffer | undefined {
  if (given === undefined || given.salt.length !== 8) return undefined;
  allowance.iterations(where, given.iterations, 4);
  // Java turns one of two equal halves round: of a random salt, one in four thousand million.
  const halves = [given.salt.subarray(0, 4), given.salt.subarray(4)];
  const derived = Buffer.concat(
    halves.map((half) => {
      let digest: Buffer = half;
      for (let count = 0; count < given.iterations; count++) {
        digest = hash('md5', Buffer.concat([digest, secret.utf8]), 'buffer');
      }
      return digest;
    }),
  );
  return decipher({ cipher: 'des-ede3-cbc', key: derived.subarray(0, 24), iv: derived.subarray(24, 32) }, bytes);
}

function changed(where: string) {
  const sentence = `${where} was changed after it was written: the passphrase opens a key in it, but its digest does not match.`;
  return refused('store-damaged', where, sentence);
}

function wrong(where: string) {
  const sentence = `The passphrase for ${where} is wrong: neither the digest of the Java keystore nor a key in it matches.`;
  return refused('passphrase-wrong', where, sentence);
}

function damaged(where: string) {
  return refused('store-damaged', where, `${where} is a Java keystore that is damaged: its structure cannot be read.`);
}
