// Whether our chain and key satisfy what a server's CertificateRequest asks for.
import type { KeyObject } from 'node:crypto';
import { readCertificateFields } from '../../x509/certificate.ts';
import { comparable, readName } from '../../x509/distinguished-name.ts';
import { oids } from '../../x509/oids.ts';
import type { CertificateRequest } from './capture.ts';

export interface IssuerVerdict {
  readonly accepted: boolean;
  /** Who issued our certificates, leaf first, in words; for "the server accepts X and Y; ours is issued by Z". */
  readonly ourIssuers: readonly string[];
}

/**
 * A server that names issuers accepts a chain in which one of them issued a certificate (RFC 8446, section 4.2.4; RFC
 * 5246, section 7.4.4); one that names none accepts any. Names are compared as RFC 5280, section 7.1 says. `chain`:
 * DER, leaf first, as sent; the root may be there or not.
 */
export function acceptsIssuer(request: CertificateRequest, chain: readonly Buffer[]): IssuerVerdict {
  const issuers = chain.flatMap((certificate) => readCertificateFields(certificate)?.issuer ?? []);
  const ours = new Set(issuers.map(comparable));
  return {
    accepted:
      request.acceptableIssuers.length === 0 ||
      request.acceptableIssuers.some((name) => ours.has(comparable(name.der))),
    ourIssuers: [...new Set(issuers.map((issuer) => readName(issuer).text))],
  };
}

/**
 * Whether the key can make a CertificateVerify that the server accepts (RFC 8446, sections 4.2.3 and 4.4.3; RFC 5246,
 * section 7.4.8). An empty list accepts any. Where TLS 1.2 has both, OpenSSL goes by `supported_signature_algorithms`
 * and not by `certificate_types`, in which wolfSSL names its own kind only. `key`: the public key of our certificate.
 */
export function acceptsSignature(
  request: CertificateRequest,
  protocol: 'TLSv1.2' | 'TLSv1.3',
  key: KeyObject,
): boolean {
  const { signatureAlgorithms, certificateTypes } = request;
  if (signatureAlgorithms.length > 0) {
    return signatureAlgorithms.some((algorithm) => canSign(key, algorithm, protocol));
  }
  const type = key.asymmetricKeyType?.startsWith('rsa') ? 'rsa_sign' : 'ecdsa_sign';
  return certificateTypes.length === 0 || certificateTypes.includes(type);
}

const curves: Readonly<Record<string, string>> = {
  prime256v1: 'ecdsa_secp256r1_sha256',
  secp384r1: 'ecdsa_secp384r1_sha384',
  secp521r1: 'ecdsa_secp521r1_sha512',
};

/** SHA-1 is left out: OpenSSL 3 at its default security level does not sign with it. */
function canSign(key: KeyObject, algorithm: string, protocol: 'TLSv1.2' | 'TLSv1.3'): boolean {
  const type = key.asymmetricKeyType;
  if (algorithm.endsWith('_sha1') || algorithm.endsWith('_md5')) return false;
  if (type === 'ec') {
    // TLS 1.3 ties the curve to the hash; in TLS 1.2 the names are for any curve.
    if (protocol === 'TLSv1.2') return algorithm.startsWith('ecdsa_');
    return curves[key.asymmetricKeyDetails?.namedCurve ?? ''] === algorithm;
  }
  if (type === 'rsa-pss') return algorithm.startsWith('rsa_pss_pss_') && fits(key, algorithm);
  if (type !== 'rsa') return type === algorithm;
  if (algorithm.startsWith('rsa_pss_rsae_')) return fits(key, algorithm);
  return protocol === 'TLSv1.2' && algorithm.startsWith('rsa_') && !algorithm.startsWith('rsa_pss_');
}

/** PSS needs room for the hash, a salt as long as that, and two bytes (RFC 8017, section 9.1.1). */
function fits(key: KeyObject, algorithm: string): boolean {
  const hashLength = Number(algorithm.slice(-3)) / 8;
  return ((key.asymmetricKeyDetails?.modulusLength ?? 0) - 1) / 8 >= 2 * hashLength + 2;
}

/**
 * The algorithms that our certificates are signed with and that the server does not list, leaf first; empty when all
 * are accepted (RFC 8446, section 4.2.3: `signature_algorithms_cert`, or without it the one list for both). Servers
 * seldom enforce it: a warning, not a verdict. `chain`: as in `acceptsIssuer`; self-signed certificates are skipped.
 */
export function unacceptedChainSignatures(request: CertificateRequest, chain: readonly Buffer[]): readonly string[] {
  const own = request.certificateSignatureAlgorithms;
  const accepted = own.length > 0 ? own : request.signatureAlgorithms;
  if (accepted.length === 0) return [];
  const unaccepted = new Set<string>();
  for (const certificate of chain) {
    const fields = readCertificateFields(certificate);
    if (!fields || fields.issuer.equals(fields.subject)) continue;
    const algorithm = signatures[fields.signature];
    // Unknown algorithms are skipped.
    if (algorithm && !covers(accepted, algorithm)) unaccepted.add(algorithm);
  }
  return [...unaccepted];
}

/**
 * What our own certificate is signed with, when `signature_algorithms_cert` leaves that out. Unlike a server, our
 * OpenSSL does enforce it: it sends an empty Certificate then (check_cert_usable in ssl/t1_lib.c). A server that sends
 * no such list is not held to the one for the handshake. `leaf`: DER.
 */
export function unacceptedLeafSignature(request: CertificateRequest, leaf: Buffer): string | undefined {
  const accepted = request.certificateSignatureAlgorithms;
  const algorithm = signatures[readCertificateFields(leaf)?.signature ?? ''];
  return accepted.length > 0 && algorithm && !covers(accepted, algorithm) ? algorithm : undefined;
}

/** PSS carries its hash in parameters: any accepted one of that kind counts. */
function covers(accepted: readonly string[], algorithm: string): boolean {
  return accepted.some((name) => name === algorithm || name.startsWith(`${algorithm}_`));
}

/**
 * RFC 4055, section 5; RFC 5758, section 3.2; RFC 8410, section 3. For ECDSA the name of TLS goes by the hash alone.
 */
const signatures: Readonly<Record<string, string>> = {
  [oids.md5WithRsa]: 'rsa_md5',
  [oids.sha1WithRsa]: 'rsa_pkcs1_sha1',
  [oids.rsassaPss]: 'rsa_pss',
  [oids.sha256WithRsa]: 'rsa_pkcs1_sha256',
  [oids.sha384WithRsa]: 'rsa_pkcs1_sha384',
  [oids.sha512WithRsa]: 'rsa_pkcs1_sha512',
  [oids.ecdsaWithSha1]: 'ecdsa_sha1',
  [oids.ecdsaWithSha256]: 'ecdsa_secp256r1_sha256',
  [oids.ecdsaWithSha384]: 'ecdsa_secp384r1_sha384',
  [oids.ecdsaWithSha512]: 'ecdsa_secp521r1_sha512',
  [oids.ed25519]: 'ed25519',
  [oids.ed448]: 'ed448',
};
