// Holds a new chain to its end: an identity can be used for as long as all of its certificates are valid, not its own alone.
import { type ChainCertificate, readCertificate, readCertificates } from '../x509/chain.ts';
import { issuedUnusable } from './issued-unusable.ts';

/** PEM, as the identity document holds them. */
export interface EndingChain {
  readonly certificate: string;
  readonly intermediateCertificates?: string;
  readonly rootCertificate: string;
}

/** A renewal is due by then (docs/rotation.md), and is planned by the dates of the certificate, not by those of its issuers. */
const dueAfter = 2 / 3;

/**
 * Throws `issued-certificate-unusable`: `not-renewed` for the certificate that is in use already; `valid-shorter` when the new
 * chain ends before the current one; and where there is none, `issuer-ends-first` when an issuer ends before the certificate is
 * due. A current chain that has expired asks for nothing: a few days are better than none.
 */
export function checkEnd(issued: EndingChain, current: EndingChain | undefined): void {
  const [leaf, ...issuers] = certificatesOf(issued);
  if (leaf === undefined) return;
  const first = firstToEnd([leaf, ...issuers]);
  const [currentLeaf, ...currentIssuers] = current ? certificatesOf(current) : [];
  if (currentLeaf === undefined) {
    checkFirst(leaf, first);
    return;
  }
  if (currentLeaf.certificate.fingerprint256 === leaf.certificate.fingerprint256) {
    throw issuedUnusable('not-renewed', 'The issuer sent the certificate that is in use already.');
  }
  const currentEnd = endOf(firstToEnd([currentLeaf, ...currentIssuers]));
  const end = endOf(first);
  if (end.getTime() >= currentEnd.getTime()) return;
  const [validTo, currentValidTo] = [end.toISOString(), currentEnd.toISOString()];
  const what =
    first === leaf
      ? `The certificate is valid until ${validTo}`
      : `With ${first.where} the chain of the certificate ends on ${validTo}`;
  throw issuedUnusable('valid-shorter', `${what}, which is before the end of the current one, ${currentValidTo}.`, {
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
    `With ${first.where} the chain of the certificate ends on ${validTo}, before its renewal is due.`,
    { where: first.where, validTo },
  );
}

/** The certificate first; those that cannot be read are left out, and without the certificate there is none. */
function certificatesOf({ certificate, intermediateCertificates = '', rootCertificate }: EndingChain) {
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
  return chain.reduce((first, link) => (endOf(link) < endOf(first) ? link : first));
}

function endOf({ certificate }: ChainCertificate): Date {
  return certificate.validToDate;
}
