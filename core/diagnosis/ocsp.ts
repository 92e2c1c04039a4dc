// The OCSP response that a server staples to its handshake, verified (RFC 6960): what its authority says of its certificate.
import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { isOrdinary } from '../tls/server-certificate.ts';
import {
  type DerElement,
  readCertificateFields,
  readElements,
  readInside,
  readObjectIdentifier,
  tag,
} from '../x509/der-reader.ts';
import { createIssuedBy, type IssuedBy } from '../x509/issued-by.ts';
import type { StapledOcsp } from './diagnosis.ts';

export interface OcspVerdict {
  readonly status: Exclude<StapledOcsp, 'none'>;
  /** Goes behind "the staple": why it counts for nothing, or what it says. */
  readonly says: string;
  /** ISO 8601. */
  readonly thisUpdate?: string;
  readonly nextUpdate?: string;
}

const tags = { enumerated: 0x0a, octetString: 0x04, integer: 0x02, bitString: 0x03, time: 0x18 } as const;
const ocspSigning = '1.3.6.1.5.5.7.3.9';

/** Clocks differ, and a response may be a few minutes ahead of ours. */
const clockSkewMs = 5 * 60_000;

/**
 * `issuer` is the certificate that issued the server's own. Signed by that issuer, or by a responder that it certified
 * for OCSP (section 4.2.2.2); about this certificate (4.1.1); within its times (4.2.2.1). Never throws.
 */
export function verifyStaple(
  der: Buffer,
  certificate: X509Certificate,
  issuer: X509Certificate,
  now: number,
  isIssuedBy: IssuedBy = createIssuedBy(),
): OcspVerdict {
  try {
    return verdictOn(der, certificate, issuer, now, isIssuedBy);
  } catch {
    return invalid('cannot be read');
  }
}

function verdictOn(
  der: Buffer,
  certificate: X509Certificate,
  issuer: X509Certificate,
  now: number,
  isIssuedBy: IssuedBy,
): OcspVerdict {
  const basic = basicResponse(der);
  if (typeof basic === 'string') return invalid(basic);
  const signer = signerOf(basic, issuer, now, isIssuedBy);
  if (!signer) return invalid('is signed neither by the issuer of the certificate nor by a responder that it named');
  const single = singleFor(basic.responses, certificate, issuer);
  if (!single) return invalid('is about another certificate');
  const thisUpdate = timeOf(single[2]);
  const nextUpdate = timeOf(single[3]?.tag === 0xa0 ? readElements(single[3].content, 1)?.[0] : undefined);
  if (thisUpdate === undefined) return invalid('has no time');
  const times = {
    thisUpdate: new Date(thisUpdate).toISOString(),
    ...(nextUpdate === undefined ? {} : { nextUpdate: new Date(nextUpdate).toISOString() }),
  };
  if (thisUpdate > now + clockSkewMs) return { ...invalid('is not valid yet'), ...times };
  const state = states[(single[1]?.tag ?? 0) & 0x1f];
  // Revoked stays revoked, however old the news.
  if (state === 'revoked') return { status: state, says: 'says that the certificate is revoked', ...times };
  if (nextUpdate !== undefined && nextUpdate < now - clockSkewMs) {
    return { status: 'stale', says: `was to be renewed by ${times.nextUpdate}`, ...times };
  }
  if (state === 'good') return { status: state, says: 'says that the certificate is good', ...times };
  return { status: 'unknown', says: 'says that its authority does not know the certificate', ...times };
}

const states = ['good', 'revoked', 'unknown'] as const;

function invalid(says: string): OcspVerdict {
  return { status: 'invalid', says };
}

interface BasicResponse {
  /** DER of what is signed. */
  readonly signed: Buffer;
  readonly hash: string | undefined;
  readonly signature: Buffer;
  readonly responses: readonly DerElement[];
  readonly certificates: readonly Buffer[];
}

/** Section 4.2.1. */
function basicResponse(der: Buffer): BasicResponse | string {
  const [status, bytes] = readInside(der, tag.sequence, 2) ?? [];
  if (status?.tag !== tags.enumerated) return 'cannot be read';
  if (status.content[0] !== 0 || !bytes) return 'is an error of the responder';
  const [type, response] = readInside(bytes.content, tag.sequence, 2) ?? [];
  if (type?.tag !== tag.objectIdentifier || readObjectIdentifier(type.content) !== '1.3.6.1.5.5.7.48.1.1') {
    return 'is of a kind that is not known';
  }
  const parts = response?.tag === tags.octetString ? readInside(response.content, tag.sequence, 4) : undefined;
  const [data, algorithm, signature, certificates] = parts ?? [];
  const fields = data?.tag === tag.sequence ? readElements(data.content, 5) : undefined;
  const responses = fields?.find((field) => field.tag === tag.sequence);
  const list = responses && readElements(responses.content, 16);
  if (!data || !list || signature?.tag !== tags.bitString || !algorithm) return 'cannot be read';
  const [oid] = readElements(algorithm.content, 2) ?? [];
  return {
    signed: data.whole,
    hash: oid && hashes[readObjectIdentifier(oid.content) ?? ''],
    signature: signature.content.subarray(1),
    responses: list,
    certificates: (certificates && readInside(certificates.content, tag.sequence, 8))?.map(({ whole }) => whole) ?? [],
  };
}

/** RSA PKCS#1 v1.5 and ECDSA (RFC 4055, section 5; RFC 5758, section 3.2). SHA-1 is no signature any more. */
const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};

function signerOf(
  response: BasicResponse,
  issuer: X509Certificate,
  now: number,
  isIssuedBy: IssuedBy,
): X509Certificate | undefined {
  if (isSignedWith(response, issuer.publicKey)) return issuer;
  for (const der of response.certificates) {
    try {
      const responder = new X509Certificate(der);
      const usages: readonly string[] = responder.keyUsage ?? [];
      const inDates = now >= responder.validFromDate.getTime() && now <= responder.validToDate.getTime();
      if (!usages.includes(ocspSigning) || !inDates || !isIssuedBy(responder, issuer)) continue;
      if (isSignedWith(response, responder.publicKey)) return responder;
    } catch {
      // What cannot be parsed signed nothing.
    }
  }
  return undefined;
}

function isSignedWith({ hash, signed, signature }: BasicResponse, key: KeyObject): boolean {
  if (!hash || (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') || !isOrdinary(key)) return false;
  try {
    return verify(hash, signed, key, signature);
  } catch {
    return false;
  }
}

/** CertID: the issuer's name and key as hashes, and the serial number. */
function singleFor(
  responses: readonly DerElement[],
  certificate: X509Certificate,
  issuer: X509Certificate,
): readonly DerElement[] | undefined {
  const name = readCertificateFields(certificate.raw)?.issuer;
  const key = keyBits(issuer);
  const serial = serialOf(certificate.raw);
  if (!name || !key || !serial) return undefined;
  for (const response of responses) {
    const single = readElements(response.content, 5) ?? [];
    const [algorithm, nameHash, keyHash, number] = (single[0] && readElements(single[0].content, 4)) ?? [];
    const [oid] = (algorithm && readElements(algorithm.content, 2)) ?? [];
    const hash = certIdHashes[(oid && readObjectIdentifier(oid.content)) ?? ''];
    if (!hash || number?.tag !== tags.integer || number.content.length === 0 || number.content.length > 32) continue;
    const isIt =
      nameHash?.content.equals(createHash(hash).update(name).digest()) &&
      keyHash?.content.equals(createHash(hash).update(key).digest()) &&
      number.content.equals(serial);
    if (isIt) return single;
  }
  return undefined;
}

/** SHA-1 names a certificate here, it protects nothing (section 4.3). */
const certIdHashes: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** As it stands in the certificate, which is how its authority repeats it: a negative one is wrong, and still one. */
function serialOf(der: Buffer): Buffer | undefined {
  const [tbs] = readInside(der, tag.sequence, 3) ?? [];
  const fields = (tbs && readElements(tbs.content, 10)) ?? [];
  const number = fields[0]?.tag === tag.version ? fields[1] : fields[0];
  return number?.tag === tags.integer ? number.content : undefined;
}

/** The bits of subjectPublicKey, without the count of unused ones. */
function keyBits(certificate: X509Certificate): Buffer | undefined {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return readInside(spki, tag.sequence, 2)?.[1]?.content.subarray(1);
}

/** GeneralizedTime as RFC 5280, section 4.1.2.5.2 writes it, in milliseconds since 1970. */
function timeOf(element: DerElement | undefined): number | undefined {
  if (element?.tag !== tags.time) return undefined;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(element.content.toString('latin1'));
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts.map(Number);
  const time = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
  return Number.isFinite(time) ? time : undefined;
}
