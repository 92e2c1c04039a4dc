// Why two sides agree on no TLS parameters: the causes that show, each with who must act.
import type { Destination } from '../destination/destination.ts';
import { CountersignError, type Evidence } from '../errors.ts';

/** What our side asked for. */
export interface NegotiationTerms {
  readonly destination: Destination;
  /** The name in SNI and in the certificate. */
  readonly serverName: string;
}

interface NegotiationEntry {
  says(terms: NegotiationTerms): string;
  /** Who must do what. */
  readonly hint: string;
}

/** `reason` of `tls-negotiation-failed`. */
const causes = {
  'unknown-name': {
    says: ({ serverName }) => `The API server has no site named ${serverName}.`,
    hint: 'The caller must check the host; the customer must configure that server name, or the platform must set the serverName of the destination.',
  },
  'tls-version': {
    says: () => 'The API server supports neither TLS 1.2 nor TLS 1.3.',
    hint: 'The customer must enable TLS 1.2 or 1.3.',
  },
  'version-limits': {
    says: ({ destination: { minTlsVersion, maxTlsVersion } }) =>
      `The API server supports no TLS version that the destination allows (${minTlsVersion} to ${maxTlsVersion}).`,
    hint: 'The platform must widen minTlsVersion and maxTlsVersion of the destination, or the customer must enable a version between them.',
  },
  'secure-renegotiation': {
    says: () => 'The API server does not support secure renegotiation (RFC 5746), which TLS 1.2 clients require.',
    hint: 'The customer must enable secure renegotiation (RFC 5746) on its server or load balancer, or offer TLS 1.3.',
  },
  'http2-only': {
    says: () => 'The API server accepts no connection over HTTP/1.1 (ALPN): it offers only other protocols.',
    hint: 'The customer must offer http/1.1 beside h2 in the ALPN protocols of that server name.',
  },
  'key-exchange': {
    says: () =>
      'The API server offers only cipher suites with RSA key exchange or DHE, which Countersign does not use.',
    hint: 'The customer must enable a cipher suite with ECDHE.',
  },
  'cipher-suite': {
    says: () => 'The API server offers no cipher suite that Countersign uses.',
    hint: 'The customer must enable a current cipher suite, for example ECDHE with AES-GCM.',
  },
  group: {
    says: () => 'The API server offers no group for the key exchange that Countersign uses.',
    hint: 'The customer must enable the group P-256 or X25519.',
  },
  'signature-algorithm': {
    says: () => 'The API server signs the handshake with an algorithm that is too weak.',
    hint: 'The customer must let its server sign with SHA-256 or better, or install a certificate whose key can.',
  },
} as const satisfies Record<string, NegotiationEntry>;

export type NegotiationReason = keyof typeof causes;

export const negotiationReasons = Object.keys(causes) as readonly NegotiationReason[];

/** `detail` follows the sentence of the cause. */
export function negotiationFailure(
  reason: NegotiationReason,
  terms: NegotiationTerms,
  { evidence = {}, cause, detail = '' }: { evidence?: Evidence; cause?: unknown; detail?: string },
): CountersignError {
  const { says, hint } = causes[reason];
  const { minTlsVersion, maxTlsVersion } = terms.destination;
  return new CountersignError('tls-negotiation-failed', `${says(terms)}${detail}`, {
    evidence: {
      reason,
      ...(reason === 'unknown-name' ? { serverName: terms.serverName } : {}),
      ...(reason === 'version-limits' ? { minTlsVersion, maxTlsVersion } : {}),
      ...evidence,
    },
    cause,
    hint,
  });
}

/** Undefined if the alert has several causes. */
export function reasonByAlert(alert: string, destination: Destination): NegotiationReason | undefined {
  if (alert === 'protocol_version') return versionReason(destination);
  return Object.hasOwn(byAlert, alert) ? byAlert[alert] : undefined;
}

const byAlert: Readonly<Record<string, NegotiationReason>> = {
  unrecognized_name: 'unknown-name',
  no_application_protocol: 'http2-only',
};

/** For an error of our own side; undefined if the code has several causes. */
export function reasonByOpenssl(code: string, destination: Destination): NegotiationReason | undefined {
  if (versionCodes.has(code)) return versionReason(destination);
  return Object.hasOwn(byOpenssl, code) ? byOpenssl[code] : undefined;
}

const versionCodes: ReadonlySet<string> = new Set([
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_WRONG_SSL_VERSION',
  'ERR_SSL_VERSION_TOO_LOW',
]);

const byOpenssl: Readonly<Record<string, NegotiationReason>> = {
  ERR_SSL_UNSAFE_LEGACY_RENEGOTIATION_DISABLED: 'secure-renegotiation',
  ERR_SSL_WRONG_SIGNATURE_TYPE: 'signature-algorithm',
  ERR_SSL_WRONG_CURVE: 'group',
  ERR_SSL_WRONG_CIPHER_RETURNED: 'cipher-suite',
  ERR_SSL_BAD_KEY_SHARE: 'group',
};

/** Whether the destination forbids a version that Countersign can speak. */
function versionReason({ minTlsVersion, maxTlsVersion }: Destination): NegotiationReason {
  return minTlsVersion === 'TLSv1.2' && maxTlsVersion === 'TLSv1.3' ? 'tls-version' : 'version-limits';
}
