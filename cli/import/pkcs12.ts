// Reads keys and certificates from PKCS#12 (RFC 7292; RFC 9579 for PBMAC1), from current and old programs.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type BerElement, integerOf, octetsOf, oidOf, readOnlyBer, tag } from '../../core/x509/der.ts';
import { digests, oids } from '../../core/x509/oids.ts';
import type { Collector } from './collector.ts';
import {
  deriveKey,
  derivePkcs12,
  hmacDigest,
  macKeyLength,
  purpose,
  type Secret,
  secretOf,
  secretsOf,
} from './derive.ts';
import { decrypt, encryptedParts } from './encrypted.ts';
import { looksLikeKey } from './encrypted-key.ts';
import { refused } from './finding.ts';

const bags = {
  key: '1.2.840.113549.1.12.10.1.1',
  shroudedKey: '1.2.840.113549.1.12.10.1.2',
  certificate: '1.2.840.113549.1.12.10.1.3',
  crl: '1.2.840.113549.1.12.10.1.4',
  secret: '1.2.840.113549.1.12.10.1.5',
  safeContents: '1.2.840.113549.1.12.10.1.6',
} as const;

const pbmac1 = '1.2.840.113549.1.5.14';
/** The arc of RFC 7292, appendix C. */
const ownSchemes = '1.2.840.113549.1.12.1.';
const x509Certificate = '1.2.840.113549.1.9.22.1';
const friendlyName = '1.2.840.113549.1.9.20';

interface Store {
  readonly where: string;
  readonly collector: Collector;
  /** AuthenticatedSafe: what the MAC is made over. */
  readonly safe: Buffer;
  readonly contents: readonly BerElement[];
  readonly mac: BerElement | undefined;
}

/** Throws what keeps the whole store from being read; of one entry that cannot be read, a finding is made. */
export async function readPkcs12(node: BerElement, where: string, collector: Collector): Promise<void> {
  const store = openStore(node, where, collector);
  const secret = await unlock(store);
  let found = 0;
  for (const content of store.contents) {
    await collector.object(where, async () => {
      for (const bag of await bagsIn(content, secret, store)) {
        found += 1;
        await collector.object(where, () => readBag(bag, secret, store, 0));
      }
    });
  }
  if (found === 0 && store.contents.length === 0) {
    throw refused('store-empty', where, `${where} is a PKCS#12 file without a key or certificate.`);
  }
}

function openStore(node: BerElement, where: string, collector: Collector): Store {
  const [, authSafe, mac] = node.children;
  const type = oidOf(authSafe?.children[0]);
  if (type === oids.signedData) {
    const sentence = `${where} is a PKCS#12 file that is sealed with a signature in place of a passphrase, which is not supported.`;
    throw refused('format-unsupported', where, sentence);
  }
  const safe = octetsOf(authSafe?.children[1]?.children[0]);
  const list = safe && readOnlyBer(safe, where);
  if (type !== oids.data || !safe || list?.tag !== tag.sequence) throw damaged(where);
  return { where, collector, safe, contents: list.children, mac };
}

/**
 * The secret that the MAC proves, or that opens the first thing that is encrypted. The empty passphrase, in both of its
 * readings, is tried before the passphrase is asked for.
 */
async function unlock(store: Store): Promise<Secret> {
  const { where, collector } = store;
  const unasked = [secretOf('', where), secretOf(undefined, where)] as const;
  if (store.mac === undefined && !isEncrypted(store)) return unasked[0];
  for (const secret of unasked) {
    if (store.mac ? await isMacRight(store, store.mac, secret) : await opensFirst(store, secret)) return secret;
  }
  const needed = `${where} is a PKCS#12 file that needs a passphrase, but no passphrase was given.`;
  const secrets = secretsOf(await collector.secret({ name: where, kind: 'pkcs12' }, needed));
  const proved = store.mac ? await provedByMac(store, store.mac, secrets) : [];
  const found = await firstThatOpens(store, proved.length > 0 ? proved : secrets);
  if (proved.length > 0) return found ?? (proved[0] as Secret);
  if (store.mac === undefined && found) return found;
  if (store.mac && found) {
    const sentence = `${where} was changed after it was written: the passphrase opens it, but its MAC does not match.`;
    throw refused('store-damaged', where, sentence);
  }
  const sentence = store.mac
    ? `The passphrase for ${where} is wrong: the MAC of the PKCS#12 file does not match it.`
    : `The passphrase for ${where} is wrong, or the PKCS#12 file, which has no MAC, is damaged.`;
  throw refused('passphrase-wrong', where, sentence);
}

/** The secrets that the MAC proves. It uses one of their two encodings, so several can be left. */
async function provedByMac(store: Store, mac: BerElement, secrets: readonly Secret[]): Promise<readonly Secret[]> {
  const isPbmac1 = oidOf(mac.children[0]?.children[0]?.children[0]) === pbmac1;
  const encodingOf = (secret: Secret) => (isPbmac1 ? secret.utf8 : secret.bmp).toString('hex');
  for (const [, same] of Map.groupBy(secrets, encodingOf)) {
    if (await isMacRight(store, mac, same[0] as Secret)) return same;
  }
  return [];
}

async function firstThatOpens(store: Store, secrets: readonly Secret[]): Promise<Secret | undefined> {
  const scheme = oidOf(firstEncrypted(store)?.algorithm?.children[0]);
  const encodingOf = (secret: Secret) => (scheme?.startsWith(ownSchemes) ? secret.bmp : secret.utf8).toString('hex');
  for (const [, same] of Map.groupBy(secrets, encodingOf)) {
    if (await opensFirst(store, same[0] as Secret)) return same[0];
  }
  return undefined;
}

/** RFC 7292, section 5.1 and appendix B; RFC 9579, section 5. */
async function isMacRight({ where, collector, safe }: Store, mac: BerElement, secret: Secret): Promise<boolean> {
  const [digestInfo, salt, count] = mac.children;
  const [algorithm, expected] = digestInfo?.children ?? [];
  const name = oidOf(algorithm?.children[0]) ?? 'without a name';
  const derivation = { where, allowance: collector.allowance };
  if (expected?.tag !== tag.octetString || salt?.tag !== tag.octetString) throw damaged(where);
  if (name === pbmac1) {
    const [kdf, scheme] = algorithm?.children[1]?.children ?? [];
    const digest = hmacDigest(scheme, where);
    const length = macKeyLength(kdf, digest);
    const key = length && (await deriveKey(kdf, secret.utf8, length, derivation));
    if (!key) throw damaged(where);
    return isSame(createHmac(digest, key).update(safe).digest(), expected.content);
  }
  const digest = digests.get(name);
  if (!digest) {
    const sentence = `${where} is a PKCS#12 file with a MAC of the algorithm ${name}, which is not supported.`;
    throw refused('encryption-unsupported', where, sentence);
  }
  const iterations = count === undefined ? 1 : (integerOf(count) ?? 0);
  if (iterations < 1) throw damaged(where);
  const from = { passphrase: secret.bmp, salt: salt.content, iterations, length: expected.content.length };
  if (from.length < 16 || from.length > 64) throw damaged(where);
  const key = derivePkcs12(digest, purpose.mac, from, derivation);
  return isSame(createHmac(digest, key).update(safe).digest(), expected.content);
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Whether something in it is readable without a passphrase is not asked: one encrypted thing is enough. */
function isEncrypted(store: Store): boolean {
  return firstEncrypted(store) !== undefined;
}

interface Encrypted {
  readonly algorithm: BerElement | undefined;
  readonly bytes: Buffer;
}

function firstEncrypted({ contents, where }: Store): Encrypted | undefined {
  for (const content of contents) {
    const type = oidOf(content.children[0]);
    if (type === oids.encryptedData) return encryptedData(content);
    if (type !== oids.data) continue;
    const safeContents = readOnlyBer(octetsOf(content.children[1]?.children[0]) ?? Buffer.alloc(0), where);
    const shrouded = safeContents?.children.find((bag) => oidOf(bag.children[0]) === bags.shroudedKey);
    const [info] = shrouded?.children[1]?.children ?? [];
    if (info) return encryptedParts(info);
  }
  return undefined;
}

async function opensFirst(store: Store, secret: Secret): Promise<boolean> {
  const first = firstEncrypted(store);
  if (first === undefined) return false;
  const { where, collector } = store;
  const plain = await decrypt(first.algorithm, first.bytes, secret, { where, allowance: collector.allowance });
  return plain !== undefined && looksLikeKey(plain, where);
}

/** EncryptedData (RFC 5652, section 8): version, then type, algorithm and the octets, tagged `[0]`. */
function encryptedData(content: BerElement): Encrypted | undefined {
  const [, info] = content.children[1]?.children[0]?.children ?? [];
  const [, algorithm, data] = info?.children ?? [];
  const bytes = data && (data.tag === tag.context0 || data.tag === tag.context0Primitive) ? octetsOf(data) : undefined;
  return bytes && { algorithm, bytes };
}

/** The SafeBags of one ContentInfo. */
async function bagsIn(
  content: BerElement,
  secret: Secret,
  { where, collector }: Store,
): Promise<readonly BerElement[]> {
  const type = oidOf(content.children[0]);
  let plain: Buffer | undefined;
  if (type === oids.data) plain = octetsOf(content.children[1]?.children[0]);
  else if (type === oids.encryptedData) {
    const parts = encryptedData(content);
    plain = parts && (await decrypt(parts.algorithm, parts.bytes, secret, { where, allowance: collector.allowance }));
  } else if (type === oids.envelopedData) {
    const sentence = `${where} is a PKCS#12 file that is encrypted for a certificate in place of a passphrase, which is not supported.`;
    throw refused('format-unsupported', where, sentence);
  }
  const list = plain && readOnlyBer(plain, where);
  if (list?.tag !== tag.sequence) throw damaged(where);
  return list.children;
}

/** SafeBags may hold SafeBags (RFC 7292, section 4.2.6). */
const deepestBag = 4;

async function readBag(bag: BerElement, secret: Secret, store: Store, depth: number): Promise<void> {
  const { collector } = store;
  const type = oidOf(bag.children[0]);
  const [value] = bag.children[1]?.children ?? [];
  const alias = aliasOf(bag);
  const where = alias === undefined ? store.where : `${store.where} (${alias})`;
  const entry = { where, alias, secret, store };
  if (value === undefined) throw damaged(store.where);
  if (type === bags.key) collector.key(value.whole, 'pkcs8', where, alias);
  else if (type === bags.shroudedKey) await readShroudedKey(value, entry);
  else if (type === bags.certificate) readCertificateBag(value, entry);
  else if (type === bags.crl) collector.note(`${where} holds a revocation list, which is not used.`);
  else if (type === bags.secret) collector.note(`${where} holds a secret that is not a private key, and is not used.`);
  else if (type === bags.safeContents && depth < deepestBag) {
    for (const inner of value.children) {
      await collector.object(where, () => readBag(inner, secret, store, depth + 1));
    }
  } else throw damaged(store.where);
}

interface Entry {
  readonly where: string;
  readonly alias: string | undefined;
  readonly secret: Secret;
  readonly store: Store;
}

function readCertificateBag(value: BerElement, { where, alias, store: { collector } }: Entry): void {
  const [type, content] = value.children;
  if (oidOf(type) !== x509Certificate) {
    collector.note(`${where} holds a certificate that is not X.509, and is not used.`);
    return;
  }
  const der = octetsOf(content?.children[0]);
  if (!der) throw damaged(where);
  collector.certificate(der, where, alias);
}

async function readShroudedKey(value: BerElement, entry: Entry): Promise<void> {
  const { where, alias, secret, store } = entry;
  const { collector } = store;
  const parts = encryptedParts(value);
  if (!parts) throw damaged(where);
  const derivation = { where, allowance: collector.allowance };
  let plain = await decrypt(parts.algorithm, parts.bytes, secret, derivation);
  if (!plain || !looksLikeKey(plain, where)) {
    const needed = `The private key in ${where} does not open with the passphrase of the PKCS#12 file, and there is no other for it.`;
    const own = await collector.secret({ name: where, kind: 'store-key' }, needed);
    plain = await decrypt(parts.algorithm, parts.bytes, own, derivation);
  }
  if (!plain || !looksLikeKey(plain, where)) {
    const sentence = `The private key in ${where} opens with no passphrase that was given, or it is damaged.`;
    throw refused('passphrase-wrong', where, sentence);
  }
  collector.key(plain, 'pkcs8', where, alias);
}

/** From the friendlyName attribute (RFC 2985, section 5.5.1), a BMPString. */
function aliasOf(bag: BerElement): string | undefined {
  for (const attribute of bag.children[2]?.children ?? []) {
    const [type, values] = attribute.children;
    const [value] = values?.children ?? [];
    if (oidOf(type) !== friendlyName || value?.tag !== tag.bmpString) continue;
    const even = value.content.subarray(0, Math.min(value.content.length & ~1, 128));
    return Buffer.from(even).swap16().toString('utf16le');
  }
  return undefined;
}

function damaged(where: string) {
  return refused('store-damaged', where, `${where} is a PKCS#12 file that is damaged: its structure cannot be read.`);
}
