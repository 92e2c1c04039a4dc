// Keys and certificates that no program writes, or that OpenSSL would compute with for minutes.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { element, inside, integer, nothing, octetString, oid, sequence } from './encoded.ts';
import { derOf } from './samples.ts';

export const algorithms = {
  rsa: '1.2.840.113549.1.1.1',
  dsa: '1.2.840.10040.4.1',
  dh: '1.2.840.113549.1.3.1',
} as const;

/** An odd number of that many bits. */
export function numberOf(bits: number): Buffer {
  const bytes = randomBytes(Math.ceil(bits / 8));
  bytes[0] = 1 << ((bits - 1) % 8);
  bytes[bytes.length - 1] = 1;
  return element(0x02, Buffer.alloc(1), bytes);
}

/** RFC 8017, appendix A.1.2; nothing in it belongs together. */
export function rsaNumbers(modulusBits: number, exponentBits = 17): Buffer {
  const half = numberOf(Math.floor(modulusBits / 2));
  return sequence(
    integer(0),
    numberOf(modulusBits),
    numberOf(exponentBits),
    numberOf(modulusBits),
    ...Array.from({ length: 5 }, () => half),
  );
}

export function pkcs8Of(algorithm: string, parameters: Buffer, key: Buffer): Buffer {
  return sequence(integer(0), sequence(oid(algorithm), parameters), octetString(key));
}

export const rsaKey = (modulusBits: number, exponentBits?: number) =>
  pkcs8Of(algorithms.rsa, nothing, rsaNumbers(modulusBits, exponentBits));

/** Six thousand octets keep OpenSSL busy for four seconds, and four times as many for three minutes. */
export const dsaKey = () =>
  pkcs8Of(algorithms.dsa, sequence(numberOf(16_384), numberOf(16_384), numberOf(16_384)), numberOf(16_384));
export const dhKey = () => pkcs8Of(algorithms.dh, sequence(numberOf(10_000), integer(2)), numberOf(10_000));

/** SubjectPublicKeyInfo (RFC 5280, section 4.1). */
export const rsaPublicKey = (modulusBits: number, exponentBits = 17) =>
  sequence(
    sequence(oid(algorithms.rsa), nothing),
    element(0x03, Buffer.alloc(1), sequence(numberOf(modulusBits), numberOf(exponentBits))),
  );

/** The certificate with another key in it; what is signed is another one then. */
export function withKey(certificate: string, publicKey: Buffer): Buffer {
  const [tbs, ...rest] = inside(derOf(certificate)) as [Buffer, Buffer, Buffer];
  return sequence(sequence(...inside(tbs).map((field, index) => (index === 6 ? publicKey : field))), ...rest);
}

/** An EC key whose curve is written out (RFC 3279, section 2.3.5), and the curve alone. */
export function explicitKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  return {
    pkcs8,
    sec1: privateKey.export({ type: 'sec1', format: 'der' }),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    curve: inside(inside(pkcs8)[1] as Buffer)[1] as Buffer,
  };
}
