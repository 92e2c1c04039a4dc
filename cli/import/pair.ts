// Which key and which certificate of those that were found are the identity.
import type { Contents, FoundCertificate, FoundKey } from './contents.ts';
import { type Finding, type FindingCode, finding } from './finding.ts';
import { fingerprintedPlaceOf, placeOf } from './names.ts';
import { publicKeyIdentifier } from './public-key.ts';

export interface Pair {
  readonly key: FoundKey;
  readonly leaf: FoundCertificate;
}

/** With what was preferred to what, for whoever wonders. */
export interface Choice {
  readonly pair: Pair;
  readonly notes: readonly string[];
}

/** These say already why there is no key, or no certificate. */
const saysWhy: ReadonlySet<FindingCode> = new Set([
  'passphrase-needed',
  'passphrase-wrong',
  'encryption-unsupported',
  'work-too-much',
  'format-unsupported',
  'store-damaged',
  'file-damaged',
  'pem-damaged',
  'key-type',
  'key-too-large',
  'explicit-curve',
  'too-many-objects',
  'too-many-findings',
]);

/** `now` in milliseconds since 1970. A finding where there is no such pair, or where nothing tells which one is meant. */
export function choosePair({ keys, certificates, findings }: Contents, now: number): Choice | readonly Finding[] {
  const byKey = Map.groupBy(certificates, ({ certificate }) => publicKeyIdentifier(certificate.publicKey));
  const pairs = keys.flatMap((key) =>
    (byKey.get(publicKeyIdentifier(key.key)) ?? []).map((leaf): Pair => ({ key, leaf })),
  );
  if (pairs.length === 0) return unpaired(keys, certificates, findings);
  const left = narrow(pairs, now);
  const [chosen] = left as [Pair, ...Pair[]];
  if (left.length > 1) {
    const candidates = left.map(({ leaf }) => fingerprintedPlaceOf(leaf)).join('; ');
    const sentence = `There are ${left.length} private keys with a client certificate, and nothing says which is meant: ${candidates}.`;
    return [finding('identity-ambiguous', chosen.leaf.source, sentence)];
  }
  const passedOver = pairs.filter((pair) => pair !== chosen);
  const unused = keys.filter((key) => key !== chosen.key);
  return {
    pair: chosen,
    notes: [
      ...passedOver.map(({ leaf }) => `${fingerprintedPlaceOf(leaf)} has its private key too, and was passed over.`),
      ...unused.map(({ source }) => `The private key in ${source} is not used.`),
    ],
  };
}

function unpaired(
  keys: readonly FoundKey[],
  certificates: readonly FoundCertificate[],
  read: readonly Finding[],
): Finding[] {
  const isExplained = read.some(({ code }) => saysWhy.has(code));
  if (keys.length > 0 && certificates.length > 0) {
    const sources = keys.map(({ source }) => source).join(', ');
    const leaves = certificates.filter(({ certificate }) => !certificate.ca);
    const named = (leaves.length > 0 ? leaves : certificates).slice(0, 5).map(placeOf).join('; ');
    const sentence = `The private key in ${sources} belongs to none of the certificates; these were issued for other keys: ${named}.`;
    return [finding('key-without-certificate', keys[0]?.source ?? '', sentence)];
  }
  if (isExplained) return [];
  return [
    ...(keys.length === 0 ? [finding('no-key', 'files', 'There is no private key in what was given.')] : []),
    ...(certificates.length === 0
      ? [finding('no-certificate', 'files', 'There is no certificate in what was given.')]
      : []),
  ];
}

/** id-kp-clientAuth and anyExtendedKeyUsage (RFC 5280, section 4.2.1.12). */
const clientUsages = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

/** What a candidate has over another, the weightiest first; where none has it, none is dropped for it. */
function narrow(pairs: readonly Pair[], now: number): readonly Pair[] {
  const preferences: ((pair: Pair) => boolean)[] = [
    ({ leaf: { certificate } }) => !certificate.checkIssued(certificate),
    ({ leaf: { certificate } }) => !certificate.ca,
    ({ leaf: { certificate } }) => isForClients(certificate.keyUsage as string[] | undefined),
    ({ leaf: { certificate } }) =>
      certificate.validFromDate.getTime() <= now && now < certificate.validToDate.getTime(),
  ];
  let left = pairs;
  for (const isPreferred of preferences) {
    const better = left.filter(isPreferred);
    if (better.length > 0) left = better;
  }
  const [first] = left;
  const isRenewal = left.every(
    ({ key, leaf }) => key === first?.key && leaf.certificate.subject === first?.leaf.certificate.subject,
  );
  return isRenewal ? left.toSorted(newestFirst).slice(0, 1) : left;
}

function isForClients(usages: readonly string[] | undefined): boolean {
  return usages === undefined || usages.some((usage) => clientUsages.includes(usage));
}

function newestFirst({ leaf: { certificate: one } }: Pair, { leaf: { certificate: other } }: Pair): number {
  return (
    other.validFromDate.getTime() - one.validFromDate.getTime() ||
    other.validToDate.getTime() - one.validToDate.getTime()
  );
}
