// Checks the certificates that an issuer sent, and assembles them into a chain that the identity can use.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import { comparableNames } from '../x509/alternative-names.ts';
import { type AssembledChain, assembleChain } from '../x509/assemble.ts';
import { namesOfCertificate, readCertificateRequest } from '../x509/certificate.ts';
import { type ChainCertificate, readCertificate, readCertificates } from '../x509/chain.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { oids } from '../x509/oids.ts';
import { pemBlocks } from '../x509/pem.ts';
import type { Issued } from './issuer.ts';
import { issuedUnusable } from './issuer-response.ts';

export interface ExpectedCertificate {
  /** Name of the identity. */
  readonly identity: string;
  /** PEM; the certificate must be for this key. */
  readonly privateKey: string;
  /** PEM; the certificate must have its subject and names. */
  readonly certificateRequest: string;
  /** PEM. The new chain must not end before it; its issuers fill gaps, and its root is preferred. */
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

const max = { bytes: 65_536, certificates: 64 } as const;
/**
 * How far the clock of an issuer may run ahead. The certificate is stored, and the later steps are retried until it is
 * valid. Some issuers backdate (AWS Private CA by an hour, step-ca by a minute), others do not.
 */
const clockSkewMs = 60_000;

/**
 * Orders and checks what an issuer sent. Throws `issued-certificate-unusable` with `evidence.reason` for the first
 * fault in this order: size and form, key, chain, the checks of checkIdentity, client authentication, no authority,
 * subject, names, end.
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
        : issuedUnusable('answer-malformed', 'The response of the issuer contains no readable certificate.');
    case 'self-signed':
      throw issuedUnusable('certificate-is-root', 'The issuer sent a self-signed certificate.');
    case 'too-many-certificates':
      throw issuedUnusable('answer-too-large', chain.sentence);
    default:
      throw issuedUnusable('chain-incomplete', chain.sentence, chain.issuer ? { issuer: chain.issuer } : {});
  }
}

function certificateBlocks(text: string): string[] {
  if (Buffer.byteLength(text) > max.bytes) {
    throw issuedUnusable('answer-too-large', `The response of the issuer has more than ${max.bytes} bytes.`);
  }
  const blocks = pemBlocksOf(text);
  if (blocks.length > max.certificates) {
    throw issuedUnusable('answer-too-large', `The issuer sent more than ${max.certificates} certificates.`);
  }
  if (blocks.some(({ label }) => label !== 'CERTIFICATE')) {
    throw issuedUnusable(
      'answer-malformed',
      'The response of the issuer contains a PEM block that is not a certificate.',
    );
  }
  if (blocks.length === 0)
    throw issuedUnusable('answer-malformed', 'The response of the issuer contains no PEM certificate.');
  return blocks.map(({ text: block }) => block);
}

function pemBlocksOf(text: string) {
  try {
    return pemBlocks(text, 'certificates');
  } catch {
    throw issuedUnusable('answer-malformed', 'The response of the issuer contains a PEM block without an end.');
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

/** Checks the next document as far as the issuer determines it. */
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

/** No extended key usage allows every use. Servers built on OpenSSL reject anyExtendedKeyUsage alone. */
function checkClientAuthentication(leaf: X509Certificate): void {
  const usages = leaf.keyUsage as string[] | undefined;
  if (usages === undefined || usages.includes(oids.clientAuth)) return;
  throw issuedUnusable(
    'no-client-authentication',
    'The extended key usage of the certificate does not include client authentication.',
  );
}

/** Never requested (RFC 5280, section 4.2.1.9): the key of the identity could sign other certificates. */
function checkNoAuthority(leaf: X509Certificate): void {
  if (!leaf.ca) return;
  throw issuedUnusable('is-authority', 'The issuer sent the certificate of an authority; the request is for a client.');
}

/** Finds authorities whose profile overrides the request, before customers reject the names. */
function checkAskedFor(leaf: X509Certificate, certificateRequest: string): void {
  const request = readCertificateRequest(certificateRequest);
  const issued = namesOfCertificate(leaf.raw);
  if (!request || !issued || !sameName(request.subject, issued.subject)) {
    throw issuedUnusable('wrong-subject', 'The subject of the certificate is not the requested one.');
  }
  const names = new Set(comparableNames(issued.alternativeNames));
  const missing = comparableNames(request.alternativeNames).filter((name) => !names.has(name)).length;
  if (missing === 0) return;
  throw issuedUnusable(
    'names-missing',
    `The certificate lacks ${missing} of the requested subject alternative names.`,
    { missing },
  );
}

/** PEM, as in the identity document. */
interface EndingChain {
  readonly certificate: string;
  readonly intermediateCertificates?: string;
  readonly rootCertificate: string;
}

/** A renewal is due then (docs/rotation.md), by the dates of the certificate and not of its issuers. */
const dueAfter = 2 / 3;

/**
 * An identity is usable as long as all its certificates are valid. Throws `issued-certificate-unusable`: `not-renewed`
 * for the current certificate; `valid-shorter` if the new chain ends before the current one; without a current one,
 * `issuer-ends-first` if an issuer ends before the renewal is due. An expired current chain sets no minimum.
 */
function checkEnd(issued: EndingChain, current: EndingChain | undefined): void {
  const [leaf, ...issuers] = chainCertificates(issued);
  if (leaf === undefined) return;
  const first = firstToEnd([leaf, ...issuers]);
  const [currentLeaf, ...currentIssuers] = current ? chainCertificates(current) : [];
  if (currentLeaf === undefined) {
    checkFirst(leaf, first);
    return;
  }
  if (currentLeaf.certificate.fingerprint256 === leaf.certificate.fingerprint256) {
    throw issuedUnusable('not-renewed', 'The issuer sent the certificate that is already current.');
  }
  const currentEnd = endOf(firstToEnd([currentLeaf, ...currentIssuers]));
  const end = endOf(first);
  if (end.getTime() >= currentEnd.getTime()) return;
  const [validTo, currentValidTo] = [end.toISOString(), currentEnd.toISOString()];
  const fault =
    first === leaf
      ? `The certificate is valid until ${validTo}`
      : `The chain of the certificate expires with ${first.where} on ${validTo}`;
  throw issuedUnusable('valid-shorter', `${fault}, which is before the end of the current one, ${currentValidTo}.`, {
    where: first.where,
    validTo,
    currentValidTo,
  });
}

function checkFirst({ certificate }: ChainCertificate, first: ChainCertificate): void {
  const [begin, end, chainEnd] = [certificate.validFromDate, certificate.validToDate, endOf(first)];
  const due = begin.getTime() + (end.getTime() - begin.getTime()) * dueAfter;
  if (chainEnd.getTime() >= due) return;
  const validTo = chainEnd.toISOString();
  throw issuedUnusable(
    'issuer-ends-first',
    `The chain of the certificate expires with ${first.where} on ${validTo}, before its renewal is due.`,
    { where: first.where, validTo },
  );
}

/** The certificate first. Issuers that cannot be read are left out; empty if the certificate cannot be read. */
function chainCertificates({ certificate, intermediateCertificates = '', rootCertificate }: EndingChain) {
  const leaf = attempt(() => [readCertificate(certificate, 'certificate')]);
  if (leaf.length === 0) return [];
  return [
    ...leaf,
    ...attempt(() => readCertificates(intermediateCertificates, 'intermediateCertificates', true)),
    ...attempt(() => [readCertificate(rootCertificate, 'rootCertificate')]),
  ];
}

function attempt(read: () => ChainCertificate[]): ChainCertificate[] {
  try {
    return read();
  } catch {
    return [];
  }
}

function firstToEnd(chain: readonly [ChainCertificate, ...ChainCertificate[]]): ChainCertificate {
  return chain.reduce((first, next) => (endOf(next) < endOf(first) ? next : first));
}

function endOf({ certificate }: ChainCertificate): Date {
  return certificate.validToDate;
}
