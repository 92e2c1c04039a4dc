// The verdict of OpenSSL on a server's chain: the fault, and the certificate that has it.
import type { X509Certificate } from 'node:crypto';
import { CountersignError, type Evidence } from '../errors.ts';
import { criticalExtensions, inDates, issuerText, readUsageFields, subjectText } from '../x509/certificate.ts';
import { weaknessOf } from '../x509/keys.ts';
import { oids } from '../x509/oids.ts';
import { isSignedBy, trustedRoots } from '../x509/trust.ts';

/** What was known when OpenSSL refused. */
export interface RefusedServer {
  /** Leaf first, as far as it could be followed; undefined if the server's certificate cannot be read. */
  readonly chain: readonly X509Certificate[] | undefined;
  /** PEM; undefined for the default roots. */
  readonly serverRoots: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** `{subject}` is the certificate at fault. */
const faults = {
  'extended-key-usage': {
    says: 'the extended key usage of {subject} does not allow server authentication',
    has: (certificate) => {
      const usages = certificate.keyUsage as readonly string[] | undefined;
      return usages !== undefined && !usages.some((usage) => serverUsages.has(usage));
    },
  },
  'issuer-not-authority': {
    says: '{subject} issued a certificate of the chain, but is not the certificate of an authority (basic constraints)',
    has: (certificate, index) => index > 0 && !certificate.ca,
  },
  'key-usage': {
    says: 'the key usage of {subject} does not allow digital signatures',
    has: (certificate, index) => index === 0 && readUsageFields(certificate.raw)?.keyUsage?.digitalSignature === false,
  },
  'issuer-key-usage': {
    says: 'the key usage of {subject} does not allow it to sign certificates',
    has: (certificate, index) => index > 0 && readUsageFields(certificate.raw)?.keyUsage?.keyCertSign === false,
  },
  'path-too-long': {
    says: '{subject} does not allow so many authorities below it (path length)',
    has: (certificate, index) => index - 1 > (readUsageFields(certificate.raw)?.pathLength ?? Number.POSITIVE_INFINITY),
  },
  'critical-extension': {
    says: '{subject} has a critical extension that OpenSSL does not know',
    has: (certificate) => criticalExtensions(certificate.raw).some((type) => !knownExtensions.has(type)),
  },
  'weak-key': {
    says: 'the key of {subject} is too weak',
    has: (certificate) => weaknessOf(certificate, false) === 'weak-key',
  },
  'weak-signature': {
    says: 'the signature of {subject} is too weak',
    has: (certificate) => weaknessOf(certificate, false) === 'weak-signature',
  },
  'name-constraints': { says: 'the name constraints of an issuer do not allow its names', has: isLeaf },
  'signature-mismatch': {
    says: 'a signature in its chain does not match the key of the issuer with that name',
    has: isLeaf,
  },
  'certificate-type': { says: 'its key does not suit the cipher suite', has: isLeaf },
  malformed: { says: 'an extension or a key in its chain cannot be read', has: isLeaf },
} as const satisfies Record<string, Fault>;

interface Fault {
  readonly says: string;
  has(certificate: X509Certificate, index: number): boolean;
}

type CertificateFault = keyof typeof faults;

/** `reason` of `server-certificate-invalid`, with those that are no verdict of OpenSSL; docs/errors.md has each. */
export const certificateReasons = [
  ...(Object.keys(faults) as CertificateFault[]),
  'unreadable',
  'chain-unclear',
  'certificate-changed',
  'other',
] as const;

export type CertificateReason = (typeof certificateReasons)[number];

/** anyExtendedKeyUsage does not count for servers (X509_PURPOSE_SSL_SERVER). */
const serverUsages: ReadonlySet<string> = new Set([oids.serverAuth]);

/** X509_supported_extension. */
const knownExtensions: ReadonlySet<string> = new Set([
  ...['2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.30', '2.5.29.31', '2.5.29.32', '2.5.29.33', '2.5.29.36'],
  ...['2.5.29.37', '2.5.29.54', '2.16.840.1.113730.1.1', '1.3.6.1.5.5.7.48.1.5'],
  ...['1.3.6.1.5.5.7.1.7', '1.3.6.1.5.5.7.1.8', '1.3.6.1.5.5.7.1.14'],
]);

function isLeaf(_certificate: X509Certificate, index: number): boolean {
  return index === 0;
}

/**
 * By Node's code, or by OpenSSL's sentence where Node has no name for the verdict (X509_verify_cert_error_string,
 * SSL_CTX_set_security_level). Several faults: the first that a certificate has.
 */
const verdicts: readonly (readonly [RegExp, readonly [CertificateFault, ...CertificateFault[]]])[] = [
  [/^INVALID_PURPOSE\b/, ['extended-key-usage', 'issuer-not-authority', 'issuer-key-usage', 'key-usage']],
  [/^INVALID_CA\b|invalid (?:non-)?CA certificate/i, ['issuer-not-authority']],
  [/^PATH_LENGTH_EXCEEDED\b/, ['path-too-long']],
  [/^(?:CERT_SIGNATURE_FAILURE|UNABLE_TO_DECRYPT_CERT_SIGNATURE)\b/, ['signature-mismatch']],
  [/^UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY\b/, ['malformed']],
  [/^ERR_SSL_ECC_CERT_NOT_FOR_SIGNING\b/, ['key-usage']],
  [/^ERR_SSL_(?:BAD_ECC_CERT|WRONG_CERTIFICATE_TYPE|UNKNOWN_CERTIFICATE_TYPE)\b/, ['certificate-type']],
  [/key usage does not include certificate signing/, ['issuer-key-usage', 'issuer-not-authority']],
  [/unhandled critical extension/, ['critical-extension']],
  [/subtree violation|name constraint|unsupported or invalid name syntax/, ['name-constraints']],
  [/key too weak|key too small/, ['weak-key']],
  [/digest algorithm too weak/, ['weak-signature']],
  [/certificate extension|explicit ECC parameters/i, ['malformed']],
];

/** Verdicts that Node reports before the handshake is complete, about the server's certificate all the same. */
export function isCertificateVerdict(code: string): boolean {
  return code.startsWith('ERR_SSL_') && verdicts.some(([pattern]) => pattern.test(`${code} `));
}

/** X509_verify_cert's verdicts (openssl/x509_vfy.h) of a chain that leads to no trusted certificate. */
const untrusted: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'its issuer is not among the trusted authorities, nor was it served',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its issuer is not among the trusted authorities, nor was it served',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the server sent no intermediate certificate, and the issuer is not a trusted authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'its chain ends at a root that is not trusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
  CERT_UNTRUSTED: 'its authority is not trusted for servers',
};

/** The verdict of OpenSSL on the server's chain; `error` is what Node made of it. */
export function verificationFailure(error: NodeJS.ErrnoException, refused: RefusedServer): CountersignError {
  const code = error.code ?? '';
  const { chain, serverRoots, now } = refused;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const path = pathOf(chain, serverRoots);
    return outsideDates(
      path.find((one) => !inDates(one, now)),
      now,
      code,
      serverRoots,
      path,
    );
  }
  const says = untrusted[code];
  if (says === undefined) return invalidCertificate(error, refused);
  const leaf = chain?.[0];
  const evidence: Evidence = {
    reason: code,
    ...(leaf ? { subject: subjectText(leaf), issuer: issuerText(leaf) } : {}),
    ...(chain ? renewalOf(chain, serverRoots) : {}),
  };
  return new CountersignError(
    'server-certificate-untrusted',
    `The certificate of the API server is refused: ${says}.${renewalSentence(evidence)}`,
    { evidence, cause: error },
  );
}

function invalidCertificate(error: NodeJS.ErrnoException, { chain, serverRoots }: RefusedServer): CountersignError {
  const code = error.code ?? '';
  const path = pathOf(chain, serverRoots);
  const possible = verdicts.find(([pattern]) => pattern.test(`${code} ${error.message}`))?.[1];
  const found = possible
    ?.map((fault) => ({ fault, at: path.findIndex((one, index) => faults[fault].has(one, index)) }))
    .find(({ at }) => at >= 0);
  const fault = found?.fault ?? possible?.[0];
  const at = found && path[found.at];
  // An issuer that may not sign certificates ends the path below it: it is the one that the last certificate names.
  const last = path.at(-1);
  const subject = at ? subjectText(at) : last && fault?.startsWith('issuer') ? issuerText(last) : '';
  const isTrustedRoot = at !== undefined && isIn(at, serverRoots);
  const sentence = fault ? faults[fault].says : opensslWords(error);
  return new CountersignError(
    'server-certificate-invalid',
    `The certificate of the API server is refused: ${sentence.replace('{subject}', subject || 'a certificate of its chain')}.`,
    {
      evidence: {
        reason: fault ?? 'other',
        openssl: code === 'UNSPECIFIED' ? error.message : code,
        ...(subject ? { subject } : {}),
        ...(path[0] ? { issuer: issuerText(path[0]) } : {}),
        ...(isTrustedRoot ? { inServerRoots: true } : {}),
      },
      cause: error,
      ...(isTrustedRoot ? { hint: replaceRoot } : {}),
    },
  );
}

const replaceRoot =
  'The platform must replace that certificate in the serverRoots of the destination by the one that the customer’s authority uses now.';

/** Constant words of OpenSSL; nothing of the certificate. */
export function opensslWords({ message }: Error): string {
  return /^[\w ,'()-]{1,100}$/.test(message) ? message : 'it does not verify';
}

/**
 * The chain, and the certificates of serverRoots above it: a fault there is in no certificate that the server sent.
 * Signatures alone count, because an issuer that may not sign is one of the faults.
 */
function pathOf(
  chain: readonly X509Certificate[] | undefined,
  serverRoots: string | undefined,
): readonly X509Certificate[] {
  const path: X509Certificate[] = [...(chain ?? [])];
  const roots = serverRoots === undefined ? [] : trustedRoots(serverRoots);
  for (let last = path.at(-1); last && path.length < 16; last = path.at(-1)) {
    const below: X509Certificate = last;
    const issuer = roots.find((root) => root.subject === below.issuer && isSignedBy(below, root));
    if (!issuer || path.some((one) => one.raw.equals(issuer.raw))) break;
    path.push(issuer);
  }
  return path;
}

function isIn(certificate: X509Certificate, serverRoots: string | undefined): boolean {
  return serverRoots !== undefined && trustedRoots(serverRoots).some((root) => root.raw.equals(certificate.raw));
}

/**
 * The certificate of `chain` that has the name and the key of a certificate in serverRoots, but is another one: the
 * authority renewed it. It is never trusted by its key, because the platform has not seen it.
 */
export function renewalOf(
  chain: readonly X509Certificate[],
  serverRoots: string | undefined,
): { readonly renewedRoot: string } | undefined {
  const roots = serverRoots === undefined ? [] : trustedRoots(serverRoots);
  const renewed = chain.find(
    (one) =>
      one.ca &&
      roots.some(
        (root) => root.subject === one.subject && !root.raw.equals(one.raw) && root.publicKey.equals(one.publicKey),
      ),
  );
  return renewed && { renewedRoot: renewed.fingerprint256 };
}

export function renewalSentence({ renewedRoot }: Evidence): string {
  return renewedRoot === undefined
    ? ''
    : ` The server sends a renewed certificate of a trusted authority, with the same key; its SHA-256 fingerprint is ${renewedRoot}.`;
}

/**
 * `certificate`: the one outside its dates, if it is known. `served`: what the server sent; a renewed certificate can
 * be among it.
 */
export function outsideDates(
  certificate: X509Certificate | undefined,
  now: number,
  reason?: string,
  serverRoots?: string,
  served: readonly X509Certificate[] = [],
): CountersignError {
  const notYet = certificate ? now < Date.parse(certificate.validFrom) : reason === 'CERT_NOT_YET_VALID';
  const isTrustedRoot = certificate !== undefined && isIn(certificate, serverRoots);
  const which = certificate ? ` (${subjectText(certificate)})` : '';
  const from = dateText(certificate?.validFrom);
  const to = dateText(certificate?.validTo);
  const says = notYet ? `is not valid before ${from ?? 'a later date'}` : `expired${to ? ` on ${to}` : ''}`;
  const what = isTrustedRoot
    ? 'A certificate in the serverRoots of the destination'
    : 'The certificate of the API server';
  const renewal = isTrustedRoot ? (renewalOf(served, serverRoots) ?? {}) : {};
  return new CountersignError('server-certificate-expired', `${what}${which} ${says}.${renewalSentence(renewal)}`, {
    evidence: {
      reason: notYet ? 'CERT_NOT_YET_VALID' : 'CERT_HAS_EXPIRED',
      ...(certificate ? { subject: subjectText(certificate), validFrom: from ?? '', validTo: to ?? '' } : {}),
      ...(isTrustedRoot ? { inServerRoots: true, ...renewal } : {}),
    },
    ...(isTrustedRoot ? { hint: replaceRoot } : {}),
  });
}

/**
 * Undefined also for an unreadable date of an untrusted certificate. Node 24.21 makes a Date of uninitialised memory
 * then, but its text is correct.
 */
function dateText(text: string | undefined): string | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
