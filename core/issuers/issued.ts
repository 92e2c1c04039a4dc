// Makes a usable chain of what an issuer sent, or says what is wrong with it: nothing of it is trusted before that.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import { comparableNames } from '../x509/alternative-names.ts';
import { type AssembledChain, assembleChain } from '../x509/assemble.ts';
import { namesOfCertificate, readCertificateRequest } from '../x509/certificate.ts';
import { readCertificate } from '../x509/chain.ts';
import { oids } from '../x509/der.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { pemBlocks } from '../x509/pem.ts';
import { checkEnd, type EndingChain } from './issued-end.ts';
import { issuedUnusable } from './issued-unusable.ts';
import type { Issued } from './issuer.ts';

export interface ExpectedCertificate {
  /** Name of the identity. */
  readonly identity: string;
  /** PEM; the certificate must be for this key. */
  readonly privateKey: string;
  /** PEM; what was asked for is what must come back. */
  readonly certificateRequest: string;
  /** What the identity presents today: its end is the least that is asked for, its issuers fill gaps, its root is preferred. PEM. */
  readonly current?: EndingChain | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** As the identity document holds them. */
export interface UsableParts {
  /** PEM, the client certificate alone. */
  readonly certificate: string;
  /** PEM, in issuer order; may be empty. */
  readonly intermediateCertificates: string;
  /** PEM. */
  readonly rootCertificate: string;
}

const most = { bytes: 65_536, certificates: 64 } as const;
/**
 * A clock of the issuer that runs ahead by less is let pass: the certificate is kept, and the later steps of the rotation
 * are tried again until it is valid here too. Issuers date back (AWS Private CA by an hour, step-ca by a minute) or not at all.
 */
const clockSkewMs = 60_000;

/**
 * Throws `issued-certificate-unusable` with `evidence.reason`, for the first fault in this order: size and form, key, chain,
 * everything that checkIdentity asks of an identity, client authentication, no authority, subject, names, end. Quotes no
 * certificate.
 */
export function usableParts(issued: Issued, expected: ExpectedCertificate): UsableParts {
  const parts = assembled(issued, expected);
  const leaf = new X509Certificate(parts.certificate);
  checkAsIdentity(parts, leaf, expected);
  checkClientAuthentication(leaf);
  checkNoAuthority(leaf);
  checkAskedFor(leaf, expected.certificateRequest);
  checkEnd(parts, expected.current);
  return parts;
}

function assembled({ certificates }: Issued, { privateKey, current }: ExpectedCertificate): UsableParts {
  const answered = certificateBlocks(certificates);
  const known = current ? [current.rootCertificate, current.intermediateCertificates ?? ''] : [];
  const preferredRoot = current?.rootCertificate;
  const chain = assembleChain([...answered, ...known], createPublicKey(privateKey), { preferredRoot });
  if (!('fault' in chain)) return partsOf(chain);
  switch (chain.fault) {
    case 'no-certificate':
      throw answered.some(isReadable)
        ? issuedUnusable('key-mismatch', 'The issuer sent a certificate for another key than that of the request.')
        : issuedUnusable('answer-malformed', 'What the issuer sent holds no certificate that can be read.');
    case 'self-signed':
      throw issuedUnusable('certificate-is-root', 'The issuer sent a certificate that signed itself.');
    case 'too-many-certificates':
      throw issuedUnusable('answer-too-large', chain.sentence);
    default:
      throw issuedUnusable('chain-incomplete', chain.sentence, chain.issuer ? { issuer: chain.issuer } : {});
  }
}

function certificateBlocks(text: string): string[] {
  if (Buffer.byteLength(text) > most.bytes) {
    throw issuedUnusable('answer-too-large', `What the issuer sent has more than ${most.bytes} bytes.`);
  }
  const blocks = pemBlocksOf(text);
  if (blocks.length > most.certificates) {
    throw issuedUnusable('answer-too-large', `The issuer sent more than ${most.certificates} certificates.`);
  }
  if (blocks.some(({ label }) => label !== 'CERTIFICATE')) {
    throw issuedUnusable('answer-malformed', 'What the issuer sent holds a PEM block that is not a certificate.');
  }
  if (blocks.length === 0) throw issuedUnusable('answer-malformed', 'What the issuer sent holds no PEM certificate.');
  return blocks.map(({ text: block }) => block);
}

function pemBlocksOf(text: string) {
  try {
    return pemBlocks(text, 'certificates');
  } catch {
    throw issuedUnusable('answer-malformed', 'What the issuer sent holds a PEM block that does not end.');
  }
}

function partsOf({ certificate, intermediateCertificates, rootCertificate }: AssembledChain): UsableParts {
  return { certificate, intermediateCertificates, rootCertificate };
}

function isReadable(pem: string): boolean {
  try {
    return readCertificate(pem, 'certificates').certificate !== undefined;
  } catch {
    return false;
  }
}

/** Of the document that will be made, what the issuer has a part in. */
function checkAsIdentity(parts: UsableParts, leaf: X509Certificate, expected: ExpectedCertificate): void {
  const validFrom = leaf.validFromDate.getTime();
  const isAlmostValid = validFrom > expected.now && validFrom - expected.now <= clockSkewMs;
  const document = JSON.stringify({ privateKey: expected.privateKey, ...parts });
  const stored = { version: 'issued', stage: 'AWSPENDING', document } as const;
  try {
    checkIdentity(expected.identity, stored, isAlmostValid ? validFrom : expected.now);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    const { reason, where } = thrown.evidence ?? {};
    throw issuedUnusable(
      reason === 'extended-key-usage' ? 'no-client-authentication' : String(reason),
      thrown.message,
      {
        ...(where === undefined ? {} : { where }),
      },
    );
  }
}

/** No extended key usage allows every use; anyExtendedKeyUsage alone does not to servers that are built on OpenSSL. */
function checkClientAuthentication(leaf: X509Certificate): void {
  const usages = leaf.keyUsage as string[] | undefined;
  if (usages === undefined || usages.includes(oids.clientAuth)) return;
  throw issuedUnusable(
    'no-client-authentication',
    'The extended key usage of the certificate does not name client authentication.',
  );
}

/** No request asks for one (RFC 5280, section 4.2.1.9): whoever has the key of the identity could sign for everybody below it. */
function checkNoAuthority(leaf: X509Certificate): void {
  if (!leaf.ca) return;
  throw issuedUnusable(
    'is-authority',
    'The issuer sent the certificate of an authority where that of a client was asked for.',
  );
}

/** Authorities that put their own profile over the request are found here, before a customer's rules on names are. */
function checkAskedFor(leaf: X509Certificate, certificateRequest: string): void {
  const request = readCertificateRequest(certificateRequest);
  const issued = namesOfCertificate(leaf.raw);
  if (!request || !issued || !sameName(request.subject, issued.subject)) {
    throw issuedUnusable('wrong-subject', 'The subject of the certificate is not the one that was asked for.');
  }
  const names = new Set(comparableNames(issued.alternativeNames));
  const missing = comparableNames(request.alternativeNames).filter((name) => !names.has(name)).length;
  if (missing === 0) return;
  throw issuedUnusable(
    'names-missing',
    `The certificate lacks ${missing} of the subject alternative names that were asked for.`,
    { missing },
  );
}
