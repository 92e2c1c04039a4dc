// Verifies the OCSP response that a server staples to its handshake (RFC 6960).
import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { readCertificateFields } from '../x509/certificate.ts';
import { type DerElement, oidOf, readElements, readInside, tag } from '../x509/der.ts';
import { isWithinKeyLimits } from '../x509/keys.ts';
import { digests, oids, signatureDigests } from '../x509/oids.ts';
import { createIssuedBy, type IssuedBy } from '../x509/trust.ts';
import type { StapledOcsp } from './diagnosis.ts';

export interface OcspVerdict {
  readonly status: Exclude<StapledOcsp, 'none'>;
  /** Predicate of a sentence about the OCSP response. */
  readonly says: string;
  /** ISO 8601. */
  readonly thisUpdate?: string;
  readonly nextUpdate?: string;
}

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
  if (!signer) return invalid('is signed neither by the issuer of the certificate nor by its OCSP responder');
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
  // A revoked certificate stays revoked, however old the response.
  if (state === 'revoked') return { status: state, says: 'says that the certificate is revoked', ...times };
  if (nextUpdate !== undefined && nextUpdate < now - clockSkewMs) {
    return { status: 'stale', says: `expired on ${times.nextUpdate}`, ...times };
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
  if (status?.tag !== tag.enumerated) return 'cannot be read';
  if (status.content[0] !== 0 || !bytes) return 'is an error of the responder';
  const [type, response] = readInside(bytes.content, tag.sequence, 2) ?? [];
  if (oidOf(type) !== oids.ocspBasicResponse) {
    return 'is of a kind that is not known';
  }
  const parts = response?.tag === tag.octetString ? readInside(response.content, tag.sequence, 4) : undefined;
  const [data, algorithm, signature, certificates] = parts ?? [];
  const fields = data?.tag === tag.sequence ? readElements(data.content, 5) : undefined;
  const responses = fields?.find((field) => field.tag === tag.sequence);
  const list = responses && readElements(responses.content, 16);
  if (!data || !list || signature?.tag !== tag.bitString || !algorithm) return 'cannot be read';
  const [oid] = readElements(algorithm.content, 2) ?? [];
  return {
    signed: data.whole,
    hash: signatureDigests.get(oidOf(oid) ?? ''),
    signature: signature.content.subarray(1),
    responses: list,
    certificates: (certificates && readInside(certificates.content, tag.sequence, 8))?.map(({ whole }) => whole) ?? [],
  };
}

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
      if (!usages.includes(oids.ocspSigning) || !inDates || !isIssuedBy(responder, issuer)) continue;
      if (isSignedWith(response, responder.publicKey)) return responder;
    } catch {
      // A certificate that cannot be parsed is not the signer.
    }
  }
  return undefined;
}

function isSignedWith({ hash, signed, signature }: BasicResponse, key: KeyObject): boolean {
  if (!hash || (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') || !isWithinKeyLimits(key))
    return false;
  try {
    return verify(hash, signed, key, signature);
  } catch {
    return false;
  }
}

/** CertID: the issuer's name and key as hashes, SHA-1 among them (section 4.3), and the serial number. */
function singleFor(
  responses: readonly DerElement[],
  certificate: X509Certificate,
  issuer: X509Certificate,
): readonly DerElement[] | undefined {
  const fields = readCertificateFields(certificate.raw);
  const key = keyBits(issuer);
  if (!fields || !key) return undefined;
  const { issuer: name, serialNumber: serial } = fields;
  for (const response of responses) {
    const single = readElements(response.content, 5) ?? [];
    const [algorithm, nameHash, keyHash, number] = (single[0] && readElements(single[0].content, 4)) ?? [];
    const [oid] = (algorithm && readElements(algorithm.content, 2)) ?? [];
    const hash = digests.get(oidOf(oid) ?? '');
    if (!hash || number?.tag !== tag.integer || number.content.length === 0 || number.content.length > 32) continue;
    const isIt =
      nameHash?.content.equals(createHash(hash).update(name).digest()) &&
      keyHash?.content.equals(createHash(hash).update(key).digest()) &&
      number.content.equals(serial);
    if (isIt) return single;
  }
  return undefined;
}

/** The bits of subjectPublicKey, without the count of unused ones. */
function keyBits(certificate: X509Certificate): Buffer | undefined {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return readInside(spki, tag.sequence, 2)?.[1]?.content.subarray(1);
}

/** GeneralizedTime as RFC 5280, section 4.1.2.5.2 writes it, in milliseconds since 1970. */
function timeOf(element: DerElement | undefined): number | undefined {
  if (element?.tag !== tag.generalizedTime) return undefined;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(element.content.toString('latin1'));
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts.map(Number);
  const time = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
  return Number.isFinite(time) ? time : undefined;
}
