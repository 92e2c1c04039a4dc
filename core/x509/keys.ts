// Keys: bounds that are checked before OpenSSL computes with a key, and the private key of an identity.
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify, type X509Certificate } from 'node:crypto';
import { type BerElement, octetsOf, oidOf, readBer, tag, X509Error } from './der.ts';
import { oids } from './oids.ts';
import { type PemBlock, pemBlocks } from './pem.ts';

/** The encoding of a private key: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC1 (RFC 5915). */
export type KeyForm = 'pkcs8' | 'pkcs1' | 'sec1';

export type KeyFault = 'key-malformed' | 'key-type' | 'key-too-large' | 'explicit-curve';

/**
 * Go's crypto/tls accepts no more from a peer. OpenSSL takes up to 0.2 s for a signature with such a key, and cannot be
 * stopped.
 */
const mostModulusBits = 8_192;
/** FIPS 186-5, appendix A.1.1. OpenSSL raises to the exponent to verify a signature, however long the exponent is. */
const mostExponentBits = 256;
/** ML-DSA-87 has 2,592 octets, the most of all kinds that are in use. */
const mostPublicOctets = 2_800;
/** P-521 has 66 octets. */
const mostScalarOctets = 128;

/** The end of a sentence, after `a key`. */
export const keyFaultWords = {
  'key-malformed': 'that cannot be parsed',
  'key-type': 'that is neither RSA nor EC',
  'key-too-large': `of more than ${mostModulusBits} bits, or with a public exponent of more than ${mostExponentBits}`,
  'explicit-curve': 'whose curve is written out in place of its name, which RFC 5480, section 2.1.1 forbids',
} as const satisfies Record<KeyFault, string>;

const rsa = new Set<string>([oids.rsaEncryption, oids.rsassaPss, oids.x500Rsa]);

/** Whether a signature with this key can be verified in about a millisecond: a server chooses the keys of its chain. */
export function isWithinKeyLimits({ asymmetricKeyDetails: key }: KeyObject): boolean {
  return (key?.publicExponent ?? 0n) < 1n << BigInt(mostExponentBits) && (key?.modulusLength ?? 0) <= mostModulusBits;
}

/** Checks a private key before OpenSSL reads it. `where` is for X509Error, thrown as by readBer. */
export function privateKeyFault(bytes: Buffer, form: KeyForm, where: string): KeyFault | undefined {
  const key = readBer(bytes, where);
  if (key?.tag !== tag.sequence) return 'key-malformed';
  if (form === 'pkcs1') return rsaFault(key);
  if (form === 'sec1') return ecFault(key);
  const [version, algorithm, wrapped] = key.children;
  const octets = octetString(wrapped);
  const name = oidOf(algorithm?.children[0]);
  if (version?.tag !== tag.integer || !octets || name === undefined) return 'key-malformed';
  if (rsa.has(name)) return rsaFault(readBer(octets, where));
  if (name === oids.ecPublicKey) return curveFault(algorithm?.children[1]) ?? ecFault(readBer(octets, where));
  // An identity cannot have one, but it is cheap to read; the check of its certificate then names the kind.
  return name === oids.ed25519 ? undefined : 'key-type';
}

/**
 * Checks the key in a certificate (RFC 5280, section 4.1) before OpenSSL reads it. Any kind of key passes: the
 * certificate may not be one of the identity. `where` is for X509Error, thrown as by readBer.
 */
export function certificateKeyFault(bytes: Buffer, where: string): KeyFault | undefined {
  const fields = readBer(bytes, where)?.children[0]?.children ?? [];
  // serialNumber, signature, issuer, validity, subject; the version before them is optional.
  const info = fields[fields[0]?.tag === tag.context0 ? 6 : 5];
  const [algorithm, bits] = info?.children ?? [];
  const name = oidOf(algorithm?.children[0]);
  if (info === undefined || bits?.tag !== tag.bitString || name === undefined) return 'key-malformed';
  if (name === oids.ecPublicKey && algorithm?.children[1]?.tag === tag.sequence) return 'explicit-curve';
  if (info.content.length > mostPublicOctets) return 'key-too-large';
  if (!rsa.has(name)) return undefined;
  const [modulus, exponent] = readBer(bits.content.subarray(1), where)?.children ?? [];
  return sizeFault(modulus, mostModulusBits) ?? sizeFault(exponent, mostExponentBits);
}

/** RFC 8017, appendix A.1.2: the version and eight numbers. A key of more than two primes has one element more. */
function rsaFault(key: BerElement | undefined): KeyFault | undefined {
  const numbers = key?.children ?? [];
  if (key?.tag !== tag.sequence || numbers.length !== 9) return 'key-malformed';
  for (const number of numbers) {
    const fault = sizeFault(number, mostModulusBits);
    if (fault) return fault;
  }
  return sizeFault(numbers[2], mostExponentBits);
}

/** RFC 5915, section 3. */
function ecFault(key: BerElement | undefined): KeyFault | undefined {
  const [version, scalar, ...rest] = key?.children ?? [];
  const octets = octetString(scalar);
  if (version?.tag !== tag.integer || !octets || octets.length > mostScalarOctets) return 'key-malformed';
  const parameters = rest.find((part) => part.tag === tag.context0);
  return parameters && curveFault(parameters.children[0]);
}

function curveFault(curve: BerElement | undefined): KeyFault | undefined {
  if (curve?.tag === tag.objectIdentifier) return undefined;
  return curve?.tag === tag.sequence ? 'explicit-curve' : 'key-malformed';
}

/** OpenSSL reads these numbers as if they were positive, and skips leading zeros. */
function sizeFault(number: BerElement | undefined, mostBits: number): KeyFault | undefined {
  if (number?.tag !== tag.integer) return 'key-malformed';
  const first = number.content.findIndex((octet) => octet !== 0);
  if (first === -1) return undefined;
  const bits = (number.content.length - first) * 8 - (Math.clz32(number.content[first] as number) - 24);
  return bits > mostBits ? 'key-too-large' : undefined;
}

function octetString(element: BerElement | undefined): Buffer | undefined {
  const isOctetString = element?.tag === tag.octetString || element?.tag === (tag.octetString | 0x20);
  return isOctetString ? octetsOf(element) : undefined;
}

const forms = new Map<string, KeyForm>([
  ['PRIVATE KEY', 'pkcs8'],
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['EC PRIVATE KEY', 'sec1'],
]);

/**
 * The one private key in `text` as a PEM block, once it is proved to belong to the certificate. `where` names the text
 * in sentences. Throws X509Error: `pem-malformed`, `key-malformed`, `key-encrypted`, `key-type`, `key-too-large`,
 * `explicit-curve`, `key-mismatch`.
 */
export function checkPrivateKey(text: string, certificate: X509Certificate, where = 'privateKey'): string {
  // `openssl ecparam -genkey` writes the name of the curve in a block of its own before the key.
  const blocks = pemBlocks(text, where).filter(({ label }) => label !== 'EC PARAMETERS');
  const block = blocks[0];
  if (block === undefined || blocks.length > 1) {
    const found = block === undefined ? 'no key' : 'more than one block';
    throw new X509Error('key-malformed', where, `${where} must hold one PEM private key, but holds ${found}.`);
  }
  if (block.label === 'ENCRYPTED PRIVATE KEY' || isEncryptedPem(block)) {
    throw new X509Error(
      'key-encrypted',
      where,
      `${where} is encrypted with a passphrase; it must be stored decrypted.`,
    );
  }
  const form = forms.get(block.label);
  if (form === undefined) {
    const sentence = `${where} holds a PEM block that is not a private key of PKCS#8, PKCS#1 or SEC1.`;
    throw new X509Error('key-malformed', where, sentence);
  }
  const key = parseKey(block, form, where);
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') {
    throw new X509Error('key-type', where, `${where} is neither an RSA nor an EC key.`);
  }
  if (!certificate.checkPrivateKey(key) || !signsFor(key, certificate)) {
    throw new X509Error('key-mismatch', where, `${where} is not the key that certificate was issued for.`);
  }
  return block.text;
}

/** OpenSSL's older form, `Proc-Type: 4,ENCRYPTED` (RFC 1421, section 4.6.1.1). */
export function isEncryptedPem({ headers }: PemBlock): boolean {
  return /ENCRYPTED/.test(headers.get('proc-type') ?? '');
}

function parseKey({ bytes, text }: PemBlock, form: KeyForm, where: string): KeyObject {
  const fault = bytes === undefined ? 'key-malformed' : faultOr(() => privateKeyFault(bytes, form, where));
  if (fault) throw new X509Error(fault, where, `${where} is a key ${keyFaultWords[fault]}.`);
  try {
    return createPrivateKey(text);
  } catch {
    throw new X509Error('key-malformed', where, `${where} cannot be parsed.`);
  }
}

/** `key-malformed` for ASN.1 beyond the limits of readBer. */
export function faultOr(check: () => KeyFault | undefined): KeyFault | undefined {
  try {
    return check();
  } catch {
    return 'key-malformed';
  }
}

/** X509Certificate.checkPrivateKey compares the public halves alone; a server would reject a damaged private half. */
function signsFor(key: KeyObject, certificate: X509Certificate): boolean {
  const proof = Buffer.from('countersign');
  try {
    return verify('sha256', proof, certificate.publicKey, sign('sha256', proof, key));
  } catch {
    return false;
  }
}

/**
 * Equal for two keys exactly if their public halves are equal, compressed points of EC keys included.
 * `KeyObject.equals` is not used: for two kinds of key, Node 24.21 leaves an error in OpenSSL's queue, and the next key
 * that is read fails.
 */
export function publicKeyIdentifier(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  try {
    return JSON.stringify(publicKey.export({ format: 'jwk' }));
  } catch {
    // JWK has no name for the kind or the curve: DSA, RSASSA-PSS, brainpool.
    return publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  }
}

/**
 * What makes a key or a signature weak by today's rules (NIST SP 800-57 part 1; CA/Browser Forum, section 6.1.5 and
 * 7.1.3.2).
 */
export function weaknessOf(
  certificate: X509Certificate,
  isSelfSigned: boolean,
): 'weak-key' | 'weak-signature' | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === 'rsa' && (details?.modulusLength ?? 0) < 2048) return 'weak-key';
  if (type === 'ec' && weakCurves.has(details?.namedCurve ?? '')) return 'weak-key';
  const signature = certificate.signatureAlgorithm ?? '';
  return !isSelfSigned && /sha-?1(?!\d)|md[245]/i.test(signature) ? 'weak-signature' : undefined;
}

const weakCurves = new Set(['prime192v1', 'secp192k1', 'secp192r1', 'secp224k1', 'secp224r1']);
