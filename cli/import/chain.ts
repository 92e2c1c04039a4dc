// The chain of the identity as far as it leads, and every finding about it.
import { type AssembledChain, assembleChain, type IncompleteChain } from '../../core/x509/assemble.ts';
import { daysUntil, expiresSoon, readUsageFields, type UsageFields } from '../../core/x509/certificate.ts';
import { type ChainCertificate, chainDefects } from '../../core/x509/chain.ts';
import { publicKeyIdentifier } from '../../core/x509/keys.ts';
import { isIssuedBy, isSignedBy, publicRootOf, publicRoots } from '../../core/x509/trust.ts';
import { type FoundCertificate, placeOf, subjectOf } from './contents.ts';
import { finding, findingOf, type ImportFinding, type ImportFindingCode } from './finding.ts';

export interface FoundInChain extends ChainCertificate {
  readonly found: FoundCertificate;
}

/** Hostile certificates that all have one name would be verified each with each. */
const mostTried = 16;

/** The chain from the client certificate upwards, complete or not. */
export function chainOf(
  leaf: FoundCertificate,
  certificates: readonly FoundCertificate[],
): { assembled: AssembledChain | IncompleteChain; chain: readonly FoundInChain[] } {
  const near = namedAbove(leaf, certificates);
  const assembled = assembleChain(
    near.map(({ certificate }) => certificate.toString()),
    leaf.certificate.publicKey,
  );
  const inChain = (found: FoundCertificate): FoundInChain => ({
    where: placeOf(found),
    certificate: found.certificate,
    // The collector refuses certificates whose fields cannot be read.
    fields: readUsageFields(found.certificate.raw) as UsageFields,
    found,
  });
  if ('certificate' in assembled) {
    const text = `${assembled.certificate}${assembled.intermediateCertificates}${assembled.rootCertificate}`;
    const inOrder = near
      .map((found) => ({ found, at: text.indexOf(found.certificate.toString()) }))
      .filter(({ at }) => at !== -1)
      .sort((one, other) => one.at - other.at);
    return { assembled, chain: inOrder.map(({ found }) => inChain(found)) };
  }
  const candidates = near.slice(0, mostTried).map(inChain);
  const chain: FoundInChain[] = [];
  for (let next = candidates[0]; next !== undefined; ) {
    chain.push(next);
    const last: FoundInChain = next;
    next = candidates.find((other) => !chain.includes(other) && isIssuedBy(last.certificate, other.certificate));
  }
  return { assembled, chain };
}

/** Why the chain ends: the issuer is missing, or is there and may not sign. */
export function gapFinding(
  chain: readonly FoundInChain[],
  incomplete: IncompleteChain,
  certificates: readonly FoundCertificate[],
): ImportFinding {
  const last = chain.at(-1) as FoundInChain;
  const isNamesake = ({ certificate }: FoundCertificate) =>
    certificate.subject === last.certificate.issuer && certificate !== last.certificate;
  const isMissing = incomplete.fault === 'issuer-missing' || incomplete.fault === 'root-missing';
  const namesakes = isMissing ? certificates.filter(isNamesake).slice(0, mostTried) : [];
  const signer = namesakes.find(({ certificate }) => isSignedBy(last.certificate, certificate));
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

const faults: Readonly<Record<IncompleteChain['fault'], ImportFindingCode>> = {
  'too-many-certificates': 'too-many-objects',
  'no-certificate': 'no-certificate',
  'self-signed': 'certificate-is-root',
  'issuer-missing': 'issuer-missing',
  'root-missing': 'root-missing',
};

/** The certificate and those that the names of issuers lead to: a keystore can hold all public roots besides. */
function namedAbove(leaf: FoundCertificate, certificates: readonly FoundCertificate[]): readonly FoundCertificate[] {
  const near = new Set([leaf]);
  const bySubject = Map.groupBy(certificates, ({ certificate }) => certificate.subject);
  for (const { certificate } of near) {
    const issuers = bySubject.get(certificate.issuer) ?? [];
    bySubject.delete(certificate.issuer);
    for (const issuer of issuers) near.add(issuer);
  }
  const key = publicKeyIdentifier(leaf.certificate.publicKey);
  return [...near].filter((found) => found === leaf || publicKeyIdentifier(found.certificate.publicKey) !== key);
}

export function chainFindings(
  chain: readonly FoundInChain[],
  assembled: AssembledChain | IncompleteChain,
  { now, publicRoots: roots = publicRoots }: { readonly now: number; readonly publicRoots?: readonly string[] },
): ImportFinding[] {
  const isSelfSigned = 'fault' in assembled && assembled.fault === 'self-signed';
  const findings = chainDefects(chain, now, 'certificate' in assembled).map(findingOf);
  for (const { where, certificate } of chain) {
    const end = certificate.validToDate.getTime();
    if (end <= now || !expiresSoon(end, now)) continue;
    const sentence = `${where} expires on ${certificate.validToDate.toISOString()}, in ${daysUntil(end, now)} days.`;
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
