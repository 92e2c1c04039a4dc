// The handshake messages of a server, one function each: the bytes of a message in, what it says out, undefined when it
// is malformed.
import { type DistinguishedName, readName } from '../../x509/distinguished-name.ts';
import { type CertificateRequest, captureLimits } from './capture.ts';
import { certificateTypeName, cipherSuiteName, groupName, signatureAlgorithmName, versionName } from './code-points.ts';

const extension = {
  statusRequest: 5,
  signatureAlgorithms: 13,
  alpn: 16,
  preSharedKey: 41,
  supportedVersions: 43,
  certificateAuthorities: 47,
  signatureAlgorithmsCert: 50,
  keyShare: 51,
} as const;

export interface ServerHello {
  readonly protocol: string;
  readonly cipher: string;
  /** TLS 1.3: the group of the key share. */
  readonly group: string | undefined;
  readonly isRetryRequest: boolean;
  /** TLS 1.3: a pre-shared key was accepted, which is how its sessions resume. */
  readonly resumed: boolean;
  /** TLS 1.2: the protocol chosen, if any; TLS 1.3 says it in EncryptedExtensions. */
  readonly alpn: string | undefined;
}

/** SHA-256 of "HelloRetryRequest": the random of a ServerHello that is one (RFC 8446, section 4.1.3). */
const retryRandom = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');

/** RFC 8446, section 4.1.3 and 4.1.4; RFC 5246, section 7.4.1.3. */
export function readServerHello(body: Buffer): ServerHello | undefined {
  const cursor = new Cursor(body);
  let version = cursor.number(2);
  const isRetryRequest = cursor.take(32).equals(retryRandom);
  cursor.inside(1);
  const cipher = cipherSuiteName(cursor.number(2));
  cursor.take(1);
  let group: string | undefined;
  let alpn: string | undefined;
  let resumed = false;
  // TLS 1.2 may leave the extensions out altogether.
  for (const [type, data] of cursor.left > 0 ? extensions(cursor) : []) {
    if (type === extension.supportedVersions) version = data.number(2);
    if (type === extension.keyShare) group = groupName(data.number(2));
    if (type === extension.preSharedKey) resumed = true;
    if (type === extension.alpn) alpn = data.inside(2).vector(1).toString('latin1');
  }
  cursor.end();
  if (cursor.malformed) return undefined;
  return { protocol: versionName(version), cipher, group, isRetryRequest, resumed, alpn };
}

/** RFC 8446, section 4.3.1. */
export function readEncryptedExtensions(body: Buffer): { readonly alpn: string | undefined } | undefined {
  const cursor = new Cursor(body);
  let alpn: string | undefined;
  for (const [type, data] of extensions(cursor)) {
    if (type === extension.alpn) alpn = data.inside(2).vector(1).toString('latin1');
  }
  cursor.end();
  return cursor.malformed ? undefined : { alpn };
}

export interface ServedCertificates {
  readonly certificates: readonly Buffer[];
  readonly stapledOcsp: Buffer | undefined;
}

/** RFC 8446, section 4.4.2: each certificate with its extensions; the first one's staple is kept. */
export function readCertificate13(body: Buffer): ServedCertificates | undefined {
  const cursor = new Cursor(body);
  cursor.inside(1);
  const list = cursor.inside(3);
  const certificates: Buffer[] = [];
  let stapledOcsp: Buffer | undefined;
  while (list.left > 0) {
    keep(certificates, list.vector(3));
    for (const [type, data] of extensions(list)) {
      if (type === extension.statusRequest && certificates.length === 1) stapledOcsp = staple(data);
    }
  }
  cursor.end();
  return cursor.malformed ? undefined : { certificates, stapledOcsp };
}

/** RFC 5246, section 7.4.2. */
export function readCertificate12(body: Buffer): ServedCertificates | undefined {
  const cursor = new Cursor(body);
  const list = cursor.inside(3);
  const certificates: Buffer[] = [];
  while (list.left > 0) {
    keep(certificates, list.vector(3));
  }
  cursor.end();
  return cursor.malformed ? undefined : { certificates, stapledOcsp: undefined };
}

/** The first ones tell who the server is; that there are too many is no reason to stop reading what it asks for. */
function keep(certificates: Buffer[], certificate: Buffer): void {
  if (certificates.length < captureLimits.certificates) certificates.push(certificate);
}

/** RFC 6066, section 8: a message of its own in TLS 1.2. */
export function readCertificateStatus(body: Buffer): { readonly stapledOcsp: Buffer | undefined } | undefined {
  const cursor = new Cursor(body);
  const stapledOcsp = staple(cursor);
  return cursor.malformed ? undefined : { stapledOcsp };
}

/**
 * RFC 8446, section 4.3.2: everything is an extension. OID filters (4.2.5) are not read: OpenSSL's clients ignore them
 * too.
 */
export function readCertificateRequest13(body: Buffer): CertificateRequest | 'too-long' | undefined {
  const cursor = new Cursor(body);
  cursor.inside(1);
  let acceptableIssuers: readonly DistinguishedName[] | 'too-long' = [];
  let signatureAlgorithms: readonly string[] = [];
  let certificateSignatureAlgorithms: readonly string[] = [];
  for (const [type, data] of extensions(cursor)) {
    if (type === extension.certificateAuthorities) acceptableIssuers = names(data);
    if (type === extension.signatureAlgorithms) signatureAlgorithms = algorithms(data);
    if (type === extension.signatureAlgorithmsCert) certificateSignatureAlgorithms = algorithms(data);
  }
  cursor.end();
  if (cursor.malformed) return undefined;
  if (acceptableIssuers === 'too-long') return 'too-long';
  return { acceptableIssuers, signatureAlgorithms, certificateSignatureAlgorithms, certificateTypes: [] };
}

/** RFC 5246, section 7.4.4. */
export function readCertificateRequest12(body: Buffer): CertificateRequest | 'too-long' | undefined {
  const cursor = new Cursor(body);
  const certificateTypes = [...cursor.vector(1)].map(certificateTypeName);
  const signatureAlgorithms = algorithms(cursor);
  const acceptableIssuers = names(cursor);
  if (acceptableIssuers === 'too-long') return 'too-long';
  cursor.end();
  if (cursor.malformed) return undefined;
  return { acceptableIssuers, signatureAlgorithms, certificateSignatureAlgorithms: [], certificateTypes };
}

export interface ServerKeyExchange {
  readonly keyExchange: string | undefined;
  readonly signatureAlgorithm: string | undefined;
}

/** RFC 8422, section 5.4 and RFC 5246, section 7.4.3: which of the two, the name of the cipher suite says. */
export function readServerKeyExchange(body: Buffer, cipher: string): ServerKeyExchange | undefined {
  const cursor = new Cursor(body);
  let keyExchange: string;
  if (cipher.startsWith('TLS_ECDHE_')) {
    const namedCurve = 3;
    if (cursor.number(1) !== namedCurve) return undefined;
    keyExchange = groupName(cursor.number(2));
    cursor.vector(1);
  } else if (cipher.startsWith('TLS_DHE_')) {
    keyExchange = `DHE ${bits(cursor.vector(2))}`;
    cursor.vector(2);
    cursor.vector(2);
  } else {
    // Anonymous and pre-shared key suites, which nothing here negotiates.
    return { keyExchange: undefined, signatureAlgorithm: undefined };
  }
  const signatureAlgorithm = signatureAlgorithmName(cursor.number(2));
  cursor.vector(2);
  cursor.end();
  return cursor.malformed ? undefined : { keyExchange, signatureAlgorithm };
}

/** RFC 8446, section 4.4.3. */
export function readCertificateVerify(body: Buffer): { readonly signatureAlgorithm: string } | undefined {
  const cursor = new Cursor(body);
  const signatureAlgorithm = signatureAlgorithmName(cursor.number(2));
  cursor.vector(2);
  cursor.end();
  return cursor.malformed ? undefined : { signatureAlgorithm };
}

function* extensions(cursor: Cursor): Generator<readonly [number, Cursor]> {
  const list = cursor.inside(2);
  while (list.left > 0) {
    const type = list.number(2);
    yield [type, list.inside(2)];
  }
}

function staple(cursor: Cursor): Buffer | undefined {
  const ocsp = 1;
  return cursor.number(1) === ocsp ? cursor.vector(3) : undefined;
}

function algorithms(cursor: Cursor): string[] {
  const list = cursor.inside(2);
  const found: string[] = [];
  while (list.left > 0) found.push(signatureAlgorithmName(list.number(2)));
  return found;
}

function names(cursor: Cursor): DistinguishedName[] | 'too-long' {
  const list = cursor.inside(2);
  const found: DistinguishedName[] = [];
  while (list.left > 0) {
    if (found.length === captureLimits.issuers) return 'too-long';
    found.push(readName(list.vector(2)));
  }
  return found;
}

function bits(number: Buffer): number {
  const start = number.findIndex((byte) => byte !== 0);
  return start < 0 ? 0 : (number.length - start) * 8 - Math.clz32(number[start] ?? 0) + 24;
}

/** Shared by a cursor and every cursor taken out of it, so that one look at the outermost tells about all. */
interface Fate {
  malformed: boolean;
}

/**
 * Numbers are big-endian, a vector is a length of 1 to 3 bytes and then that many bytes (RFC 8446, section 3.3 and
 * 3.4). After the first thing that does not fit everything reads as empty or 0 and `left` is 0, so loops over it end.
 */
class Cursor {
  readonly #bytes: Buffer;
  readonly #fate: Fate;
  #at = 0;

  constructor(bytes: Buffer, fate: Fate = { malformed: false }) {
    this.#bytes = bytes;
    this.#fate = fate;
  }

  get malformed(): boolean {
    return this.#fate.malformed;
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#fate.malformed ? 0 : this.#bytes.length - this.#at;
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    if (length > this.left) {
      this.#fate.malformed = true;
      return empty;
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(size: 1 | 2 | 3): number {
    const bytes = this.take(size);
    return bytes.length === 0 ? 0 : bytes.readUIntBE(0, size);
  }

  vector(lengthSize: 1 | 2 | 3): Buffer {
    return this.take(this.number(lengthSize));
  }

  inside(lengthSize: 1 | 2 | 3): Cursor {
    return new Cursor(this.vector(lengthSize), this.#fate);
  }

  /** Bytes after the last field make a message malformed (RFC 8446, section 4: decode_error). */
  end(): void {
    if (this.left > 0) this.#fate.malformed = true;
  }
}

const empty = Buffer.alloc(0);
