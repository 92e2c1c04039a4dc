// Certificates that no authority makes, byte by byte: any name, any serial number, any key (RFC 5280, section 4.1).
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface HostileCertificate {
  readonly subject: string;
  readonly issuer: string;
  /** Of the subject. */
  readonly key: KeyObject;
  /** Of the issuer; private. */
  readonly signer: KeyObject;
  /** Content of the INTEGER. */
  readonly serial?: Buffer;
  /** DNS names, as bytes. */
  readonly names?: readonly Buffer[];
  readonly isAuthority?: boolean;
  /** Further ones: `extension(…)`. */
  readonly extensions?: readonly Buffer[];
  /** As RFC 5280 writes it, `491231235959Z`. */
  readonly notAfter?: string;
}

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function ecKey(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** RSA with an unusual public exponent; all of them share one modulus. */
export function rsaKey(exponent: bigint): KeyPair {
  const { p, q } = primes;
  const order = (p - 1n) * (q - 1n);
  const secret = inverse(exponent, order);
  const members = {
    n: p * q,
    e: exponent,
    d: secret,
    p,
    q,
    dp: secret % (p - 1n),
    dq: secret % (q - 1n),
    qi: inverse(q, p),
  };
  const numbers = Object.entries(members).map(([name, value]) => [name, base64url(value)]);
  const privateKey = createPrivateKey({ format: 'jwk', key: { kty: 'RSA', ...Object.fromEntries(numbers) } });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

const base = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const primes = { p: numberOf(base.p), q: numberOf(base.q) };

/** DER. */
export function hostile(fields: HostileCertificate): Buffer {
  const { subject, issuer, key, signer, serial = Buffer.of(1), names = [], isAuthority = false } = fields;
  const algorithm =
    signer.asymmetricKeyType === 'rsa'
      ? der(0x30, Buffer.from('06092a864886f70d01010b0500', 'hex'))
      : der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'));
  const extensions = [
    ...(names.length > 0 ? [extension('551d11', der(0x30, ...names.map((name) => der(0x82, name))))] : []),
    ...(isAuthority ? [extension('551d13', der(0x30, Buffer.from('0101ff', 'hex')))] : []),
    ...(fields.extensions ?? []),
  ];
  const dates = der(0x30, time('250101000000Z'), time(fields.notAfter ?? '491231235959Z'));
  const tbs = der(
    0x30,
    der(0xa0, der(2, Buffer.of(2))),
    der(2, serial),
    algorithm,
    nameOf(issuer),
    dates,
    nameOf(subject),
    key.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(0xa3, der(0x30, ...extensions))] : []),
  );
  return der(0x30, tbs, algorithm, der(3, Buffer.of(0), sign('sha256', tbs, signer)));
}

export function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** One element: its tag, and what is in it. */
export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

export function nameOf(commonName: string): Buffer {
  const attribute = der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(commonName)));
  return der(0x30, der(0x31, attribute));
}

/** `oid`: the content of the OBJECT IDENTIFIER in hex. */
export function extension(oid: string, value: Buffer, isCritical = false): Buffer {
  return der(0x30, der(6, Buffer.from(oid, 'hex')), ...(isCritical ? [der(1, Buffer.of(255))] : []), der(4, value));
}

function time(text: string): Buffer {
  return der(0x17, Buffer.from(text));
}

function numberOf(text: string | undefined): bigint {
  return BigInt(`0x${Buffer.from(text ?? '', 'base64url').toString('hex')}`);
}

function base64url(number: bigint): string {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

function inverse(number: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [modulus, number % modulus, 0n, 1n];
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  if (a !== 1n) throw new Error('The exponent has no inverse; take another prime.');
  return ((x % modulus) + modulus) % modulus;
}
