// The chain above a client certificate, as far as it goes, and everything that is wrong with it.
import type { X509Certificate } from 'node:crypto';
import { type AssembledChain, assembleChain, type IncompleteChain } from '../../core/x509/assemble.ts';
import { type ChainCertificate, chainDefects, isIssuedBy } from '../../core/x509/chain.ts';
import { readUsageFields } from '../../core/x509/usage-fields.ts';
import type { FoundCertificate } from './contents.ts';
import { type Finding, type FindingCode, finding, findingOf } from './finding.ts';
import { placeOf, subjectOf } from './names.ts';
import { publicRootOf, publicRoots } from './public-authority.ts';

export interface Link extends ChainCertificate {
  readonly found: FoundCertificate;
}

/** Of hostile certificates that all have one name, each would be tried with each: a verification takes up to 5 ms. */
const mostTried = 16;

/** The whole chain, or as much of it as leads up from the client certificate. */
export function chainOf(
  leaf: FoundCertificate,
  certificates: readonly FoundCertificate[],
): { assembled: AssembledChain | IncompleteChain; chain: readonly Link[] } {
  const near = namedAbove(leaf, certificates);
  const assembled = assembleChain(
    near.map(({ certificate }) => certificate.toString()),
    leaf.certificate.publicKey,
  );
  const linkOf = (found: FoundCertificate): Link => ({
    where: placeOf(found),
    certificate: found.certificate,
    fields: readUsageFields(found.certificate.raw),
    found,
  });
  if ('certificate' in assembled) {
    const text = `${assembled.certificate}${assembled.intermediateCertificates}${assembled.rootCertificate}`;
    const inOrder = near
      .map((found) => ({ found, at: text.indexOf(found.certificate.toString()) }))
      .filter(({ at }) => at !== -1)
      .sort((one, other) => one.at - other.at);
    return { assembled, chain: inOrder.map(({ found }) => linkOf(found)) };
  }
  const links = near.slice(0, mostTried).map(linkOf);
  const chain: Link[] = [];
  for (let link = links[0]; link !== undefined; ) {
    chain.push(link);
    const last: Link = link;
    link = links.find((other) => !chain.includes(other) && isIssuedBy(last, other));
  }
  return { assembled, chain };
}

/** Why the chain does not go on: the issuer is not there, or is and could not have signed. */
export function gapFinding(
  chain: readonly Link[],
  incomplete: IncompleteChain,
  certificates: readonly FoundCertificate[],
): Finding {
  const last = chain.at(-1) as Link;
  const isNamesake = ({ certificate }: FoundCertificate) =>
    certificate.subject === last.certificate.issuer && certificate !== last.certificate;
  const isMissing = incomplete.fault === 'issuer-missing' || incomplete.fault === 'root-missing';
  const namesakes = isMissing ? certificates.filter(isNamesake).slice(0, mostTried) : [];
  const signer = namesakes.find(({ certificate }) => hasSigned(certificate, last.certificate));
  if (signer) {
    const sentence = `${placeOf(signer)} signed ${last.where}, but may not: it is not the certificate of an authority (basic constraints, key usage).`;
    return finding('issuer-not-authority', placeOf(signer), sentence);
  }
  const [namesake] = namesakes;
  const code = faults[incomplete.fault];
  if (!namesake) return finding(code, last.where, incomplete.sentence);
  const sentence = `The issuer of ${last.where} is missing: ${placeOf(namesake)} has its name, but another key signed.`;
  return finding(code, last.where, sentence);
}

const faults: Readonly<Record<IncompleteChain['fault'], FindingCode>> = {
  'too-many-certificates': 'too-many-objects',
  'no-certificate': 'no-certificate',
  'self-signed': 'certificate-is-root',
  'issuer-missing': 'issuer-missing',
  'root-missing': 'root-missing',
};

function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** The certificate and those that the names of issuers lead to: a keystore may hold the roots of the whole world besides. */
function namedAbove(leaf: FoundCertificate, certificates: readonly FoundCertificate[]): readonly FoundCertificate[] {
  const near = new Set([leaf]);
  const bySubject = Map.groupBy(certificates, ({ certificate }) => certificate.subject);
  for (const { certificate } of near) {
    const issuers = bySubject.get(certificate.issuer) ?? [];
    bySubject.delete(certificate.issuer);
    for (const issuer of issuers) near.add(issuer);
  }
  const { publicKey } = leaf.certificate;
  return [...near].filter((found) => found === leaf || !found.certificate.publicKey.equals(publicKey));
}

const day = 86_400_000;
/** As doctor and a diagnosis warn. */
const soonMs = 30 * day;

export function chainFindings(
  chain: readonly Link[],
  assembled: AssembledChain | IncompleteChain,
  { now, publicRoots: roots = publicRoots }: { readonly now: number; readonly publicRoots?: readonly string[] },
): Finding[] {
  const isSelfSigned = 'fault' in assembled && assembled.fault === 'self-signed';
  const findings = chainDefects(chain, now, 'certificate' in assembled).map(findingOf);
  for (const { where, certificate } of chain) {
    const left = certificate.validToDate.getTime() - now;
    if (left <= 0 || left >= soonMs) continue;
    const sentence = `${where} expires on ${certificate.validToDate.toISOString()}, in ${Math.floor(left / day)} days.`;
    findings.push(finding('expires-soon', where, sentence));
  }
  const root = isSelfSigned
    ? undefined
    : publicRootOf(
        chain.map(({ certificate }) => certificate),
        roots,
      );
  const [leaf] = chain;
  if (root && leaf) {
    const sentence = `${leaf.where} comes from the public web authority ${subjectOf(root)}; those stop issuing for client authentication by March 2027 (Chrome Root Program Policy 1.8), so take it from a private authority.`;
    findings.push(finding('public-authority', leaf.where, sentence));
  }
  return findings;
}
