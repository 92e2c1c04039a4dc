// Creates the key and the certificate request for an issuer: PKCS#10 (RFC 2986).
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyAlgorithm } from '../identity/renewal.ts';
import { renewalUnusable } from '../identity/unusable.ts';
import { alternativeNamesExtension } from '../x509/alternative-names.ts';
import { type CertificateNames, namesOfCertificate } from '../x509/certificate.ts';
import { derElement, derObjectIdentifier, derSetOf, tag, X509Error } from '../x509/der.ts';
import { encodeName } from '../x509/distinguished-name.ts';
import { oids } from '../x509/oids.ts';
import { canonicalPem, writePem } from '../x509/pem.ts';

export interface RequestedCertificate {
  /** PEM, RSA or EC. */
  readonly privateKey: string;
  /** RFC 4514 text. Default: the subject of `like`, byte for byte. */
  readonly subject?: string | undefined;
  /** `dns:…`, `uri:…`, `email:…`, `ip:…`. Default: those of `like`. An empty list requests none. */
  readonly names?: readonly string[] | undefined;
  /** PEM of the certificate that is replaced. */
  readonly like?: string | undefined;
}

const generate = promisify(generateKeyPair);
const curves = { EC_P256: 'prime256v1', EC_P384: 'secp384r1' } as const;
const sizes = { RSA_2048: 2048, RSA_3072: 3072, RSA_4096: 4096 } as const;

/** PEM, PKCS#8. Generated in the thread pool: an RSA key of 4096 bits takes more than a second. */
export async function newPrivateKey(algorithm: KeyAlgorithm): Promise<string> {
  const { privateKey } =
    algorithm === 'EC_P256' || algorithm === 'EC_P384'
      ? await generate('ec', { namedCurve: curves[algorithm] })
      : await generate('rsa', { modulusLength: sizes[algorithm] });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Undefined if the key cannot be read, or is not one of the algorithms (P-521, RSA of another size). */
export function keyAlgorithmOf(privateKeyPem: string): KeyAlgorithm | undefined {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails: details } = createPrivateKey(canonicalPem(privateKeyPem));
    const found =
      asymmetricKeyType === 'ec'
        ? Object.entries(curves).find(([, curve]) => curve === details?.namedCurve)
        : Object.entries(sizes).find(([, size]) => asymmetricKeyType === 'rsa' && size === details?.modulusLength);
    return found?.[0] as KeyAlgorithm | undefined;
  } catch {
    return undefined;
  }
}

/** RFC 5758, section 3.2 (no parameters) and RFC 8017, appendix A.2.4 (NULL); the hash is as strong as the curve. */
const signatures = {
  rsa: { oid: oids.sha256WithRsa, hash: 'sha256', parameters: Buffer.of(0x05, 0x00) },
  prime256v1: { oid: oids.ecdsaWithSha256, hash: 'sha256', parameters: Buffer.alloc(0) },
  secp384r1: { oid: oids.ecdsaWithSha384, hash: 'sha384', parameters: Buffer.alloc(0) },
  secp521r1: { oid: oids.ecdsaWithSha512, hash: 'sha512', parameters: Buffer.alloc(0) },
} as const;
const version = Buffer.of(0x02, 0x01, 0x00);

/**
 * PEM. Throws `renewal-unusable`: `subject-malformed`, `names-malformed`, `subject-missing` when there is neither
 * `subject` nor `like`, `key-unusable` when the key is neither RSA nor EC.
 */
export function certificateRequest({ privateKey, subject, names, like }: RequestedCertificate): string {
  const key = readKey(privateKey);
  const model = like === undefined ? undefined : readModel(like);
  const name =
    subject === undefined ? model?.subject : orUnusableRenewal('subject-malformed', () => encodeName(subject));
  if (name === undefined)
    throw renewalUnusable(
      'subject-missing',
      'renewal: subject is missing, and there is no certificate to take it from.',
    );
  const extension =
    names === undefined
      ? model?.alternativeNames
      : orUnusableRenewal('names-malformed', () => alternativeNamesExtension(names));
  const info = derElement(
    tag.sequence,
    version,
    name,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    derElement(tag.context0, ...(extension ? [requested(extension)] : [])),
  );
  const { oid, hash, parameters } = signatureOf(key);
  const whole = derElement(
    tag.sequence,
    info,
    derElement(tag.sequence, derObjectIdentifier(oid), parameters),
    derElement(tag.bitString, Buffer.of(0), sign(hash, info, key)),
  );
  return writePem('CERTIFICATE REQUEST', whole);
}

function orUnusableRenewal<T>(reason: 'subject-malformed' | 'names-malformed', write: () => T): T {
  try {
    return write();
  } catch (thrown) {
    throw thrown instanceof X509Error ? renewalUnusable(reason, `renewal: ${thrown.message}`) : thrown;
  }
}

/** Of a curve that identities cannot have, the hash does not matter: checkIdentity turns the key away. */
function signatureOf({ asymmetricKeyType, asymmetricKeyDetails: details }: KeyObject) {
  if (asymmetricKeyType === 'rsa') return signatures.rsa;
  const curve = details?.namedCurve;
  return curve === 'secp384r1' || curve === 'secp521r1' ? signatures[curve] : signatures.prime256v1;
}

/** RFC 2985, section 5.4.2. */
function requested(extension: Buffer): Buffer {
  const extensions = derElement(tag.sequence, extension);
  return derElement(tag.sequence, derObjectIdentifier(oids.extensionRequest), derSetOf([extensions]));
}

function readKey(privateKey: string) {
  try {
    const key = createPrivateKey(canonicalPem(privateKey));
    if (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec') return key;
  } catch {
    // Without the cause: nothing of what the key is goes further.
  }
  throw renewalUnusable('key-unusable', 'renewal: the private key of the identity is neither an RSA nor an EC key.');
}

/** Undefined if it is not a certificate. */
function readModel(pem: string): CertificateNames | undefined {
  try {
    return namesOfCertificate(new X509Certificate(canonicalPem(pem)).raw);
  } catch {
    return undefined;
  }
}
