// Chooses the private key and the certificate of the identity, and checks that the key is complete.
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { allowsClientAuthentication } from '../../core/x509/chain.ts';
import { checkPrivateKey, publicKeyIdentifier } from '../../core/x509/keys.ts';
import { isIssuedBy } from '../../core/x509/trust.ts';
import { type Contents, type FoundCertificate, type FoundKey, fingerprintedPlaceOf, placeOf } from './contents.ts';
import { finding, type ImportFinding, type ImportFindingCode } from './finding.ts';

export interface Pair {
  readonly key: FoundKey;
  readonly leaf: FoundCertificate;
}

/** `notes` say which candidates were not chosen. */
export interface Choice {
  readonly pair: Pair;
  readonly notes: readonly string[];
}

/** Findings that explain why there is no key or no certificate. */
const explaining: ReadonlySet<ImportFindingCode> = new Set([
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

/**
 * `now` in milliseconds since 1970. With `alias`, the entry of a keystore with that name; as in Java, upper and lower
 * case are equal. Findings if there is no pair, or if several are equally good.
 */
export function choosePair(
  { keys, certificates, findings }: Contents,
  now: number,
  alias?: string,
): Choice | readonly ImportFinding[] {
  const byKey = Map.groupBy(certificates, ({ certificate }) => publicKeyIdentifier(certificate.publicKey));
  const pairs = keys.flatMap((key) =>
    (byKey.get(publicKeyIdentifier(key.key)) ?? []).map((leaf): Pair => ({ key, leaf })),
  );
  if (pairs.length === 0) return unpaired(keys, certificates, findings);
  const wanted =
    alias === undefined ? pairs : pairs.filter((pair) => aliasesOf(pair).some((one) => isSame(one, alias)));
  if (wanted.length === 0) return [unknownAlias(pairs)];
  const left = narrow(wanted, now);
  const [chosen] = left as [Pair, ...Pair[]];
  if (left.length > 1) {
    const hasAliases = left.every((pair) => aliasesOf(pair).length > 0);
    const remedy = hasAliases ? 'choose one with --alias' : 'give only the files of one';
    const sentence = `There are ${left.length} private keys with a client certificate; ${remedy}: ${listed(left)}.`;
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

function aliasesOf({ key, leaf }: Pair): readonly string[] {
  return [...new Set([...key.aliases, ...leaf.aliases])];
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function unknownAlias(pairs: readonly Pair[]): ImportFinding {
  const named = pairs.filter((pair) => aliasesOf(pair).length > 0);
  const there = named.length === 0 ? 'No entry has an alias.' : `The entries are: ${listed(named)}.`;
  const sentence = `No private key with a certificate has the alias of --alias. ${there}`;
  return finding('alias-unknown', 'files', sentence);
}

const maxListed = 8;

/** `bot-2026: CN=bot (bot.p12), 2026-01-01 to 2027-01-01, SHA-256 EF:20:…`, separated by semicolons. */
function listed(pairs: readonly Pair[]): string {
  const all = pairs.slice(0, maxListed).map((pair) => {
    const { validFromDate: from, validToDate: to } = pair.leaf.certificate;
    const dates = [from, to].map((date) => date.toISOString().slice(0, 10)).join(' to ');
    const place = fingerprintedPlaceOf(pair.leaf).replace(', SHA-256', `, ${dates}, SHA-256`);
    return [aliasesOf(pair).join(' or '), place].filter(Boolean).join(': ');
  });
  return `${all.join('; ')}${pairs.length > maxListed ? `; and ${pairs.length - maxListed} more` : ''}`;
}

function unpaired(
  keys: readonly FoundKey[],
  certificates: readonly FoundCertificate[],
  read: readonly ImportFinding[],
): ImportFinding[] {
  const isExplained = read.some(({ code }) => explaining.has(code));
  if (keys.length > 0 && certificates.length > 0) {
    const sources = keys.map(({ source }) => source).join(', ');
    const leaves = certificates.filter(({ certificate }) => !certificate.ca);
    const named = (leaves.length > 0 ? leaves : certificates).slice(0, 5).map(placeOf).join('; ');
    const sentence = `The private key in ${sources} does not belong to any certificate; these were issued for other keys: ${named}.`;
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

/** Preferences in descending order; one that no candidate meets is skipped. */
function narrow(pairs: readonly Pair[], now: number): readonly Pair[] {
  const preferences: ((pair: Pair) => boolean)[] = [
    ({ leaf: { certificate } }) => !isIssuedBy(certificate, certificate),
    ({ leaf: { certificate } }) => !certificate.ca,
    ({ leaf: { certificate } }) => allowsClientAuthentication(certificate),
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

function newestFirst({ leaf: { certificate: one } }: Pair, { leaf: { certificate: other } }: Pair): number {
  return (
    other.validFromDate.getTime() - one.validFromDate.getTime() ||
    other.validToDate.getTime() - one.validToDate.getTime()
  );
}

/**
 * PEM, PKCS#8: the same text for the same key, whatever its format was. An EC key without its public half (RFC 5915,
 * section 3) is completed, because OpenSSL would leave it out again.
 */
export function keyText(key: KeyObject): string {
  let complete = key;
  try {
    if (key.asymmetricKeyType === 'ec')
      complete = createPrivateKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });
  } catch {
    // JWK has no name for the curve, which is a finding of its own.
  }
  return complete.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * Whether the key signs for the certificate and all its parts are undamaged. True for kinds that an identity cannot
 * have.
 */
export function isSound(key: KeyObject, certificate: X509Certificate): boolean {
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') return true;
  try {
    checkPrivateKey(keyText(key), certificate);
  } catch {
    return false;
  }
  return key.asymmetricKeyType !== 'rsa' || isCompleteRsa(key);
}

/**
 * RFC 8017, section 3.2. A signature does not prove it: if the CRT values or the exponent are damaged, OpenSSL uses the
 * others. Other libraries do not.
 */
function isCompleteRsa(key: KeyObject): boolean {
  const jwk = key.export({ format: 'jwk' });
  const number = (text: string | undefined) => BigInt(`0x0${Buffer.from(text ?? '', 'base64url').toString('hex')}`);
  const [n, e, d, p, q] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q].map(number) as [bigint, bigint, bigint, bigint, bigint];
  const [dp, dq, qi] = [jwk.dp, jwk.dq, jwk.qi].map(number) as [bigint, bigint, bigint];
  if (p < 3n || q < 3n || p * q !== n) return false;
  return (
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    d % (p - 1n) === dp &&
    d % (q - 1n) === dq &&
    (q * qi) % p === 1n
  );
}
