// Reads a certificate request (PKCS#10, RFC 2986): what it asks for, and whether who made it holds the key.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { findAlternativeNames } from './alternative-names.ts';
import type { CertificateNames } from './certificate-names.ts';
import { readElements, readInside, readObjectIdentifier, tag } from './der-reader.ts';
import { derTag } from './der-writer.ts';

export interface RequestFields extends CertificateNames {
  readonly publicKey: KeyObject;
  /** False when the request was not signed with the key that is in it. */
  readonly isSigned: boolean;
}

const extensionRequest = '1.2.840.113549.1.9.14';
const hashes = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);
const mostCharacters = 65_536;
const mostAttributes = 16;

/** PEM, with text around it or not. Undefined for what is no request, or has a key that is neither RSA nor EC. */
export function readCertificateRequest(pem: string): RequestFields | undefined {
  if (pem.length > mostCharacters) return undefined;
  const [, base64] =
    /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----/.exec(
      pem,
    ) ?? [];
  const [info, algorithm, signature] = readInside(Buffer.from(base64 ?? '', 'base64'), tag.sequence, 3) ?? [];
  const [, subject, spki, attributes] = info?.tag === tag.sequence ? (readElements(info.content, 4) ?? []) : [];
  if (
    !info ||
    algorithm?.tag !== tag.sequence ||
    signature?.tag !== derTag.bitString ||
    subject?.tag !== tag.sequence ||
    !spki
  )
    return undefined;
  const publicKey = readKey(spki.whole);
  if (!publicKey) return undefined;
  return {
    subject: subject.whole,
    publicKey,
    alternativeNames: alternativeNames(attributes?.content),
    isSigned: isSigned(info.whole, algorithm.content, signature.content, publicKey),
  };
}

function alternativeNames(attributes: Buffer | undefined): Buffer | undefined {
  for (const attribute of (attributes && readElements(attributes, mostAttributes)) ?? []) {
    const [oid, values] = readElements(attribute.content, 2) ?? [];
    if (!oid || !values || readObjectIdentifier(oid.content) !== extensionRequest) continue;
    return findAlternativeNames(values.content);
  }
  return undefined;
}

function readKey(spki: Buffer): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: spki, type: 'spki', format: 'der' });
    return key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The first byte of a bit string counts unused bits: a signature has none. */
function isSigned(info: Buffer, algorithm: Buffer, signature: Buffer, key: KeyObject): boolean {
  const [oid] = readElements(algorithm, 2) ?? [];
  const hash = oid && hashes.get(readObjectIdentifier(oid.content) ?? '');
  try {
    return hash !== undefined && signature[0] === 0 && verify(hash, info, key, signature.subarray(1));
  } catch {
    return false;
  }
}
