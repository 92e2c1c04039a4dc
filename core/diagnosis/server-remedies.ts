// Remedies for each cause of a failed negotiation (step 2) and of a refused server certificate (step 3).

import type { Evidence } from '../errors.ts';
import type { NegotiationReason } from '../tls/negotiation-failure.ts';
import type { CertificateReason } from '../tls/verification-failure.ts';
import type { Finding } from './diagnosis.ts';
import type { Entry } from './refusal-remedies.ts';

type ServerReason = CertificateReason | NegotiationReason | 'no-alternative-names' | 'sha1-only';

/** `{subject}` is the certificate at fault. */
export const byServerReason: Readonly<Record<ServerReason, readonly Entry[]>> = {
  'extended-key-usage': [
    {
      who: 'customer',
      do: 'Replace the certificate {subject} by one whose extended key usage includes serverAuth, or that has no extended key usage.',
    },
  ],
  'key-usage': [
    { who: 'customer', do: 'Replace the certificate {subject} by one whose key usage includes digitalSignature.' },
  ],
  'issuer-key-usage': [
    {
      who: 'customer',
      do: 'Replace the authority’s certificate {subject} by one whose key usage includes keyCertSign (certificate signing).',
    },
  ],
  'issuer-not-authority': [
    {
      who: 'customer',
      do: 'Have the server’s certificate issued by an authority: {subject} is not one (basicConstraints CA:TRUE is missing).',
    },
  ],
  'path-too-long': [
    {
      who: 'customer',
      do: 'Have the server’s certificate issued with fewer authorities below {subject}, or raise the path length of {subject}.',
    },
  ],
  'critical-extension': [
    { who: 'customer', do: 'Replace the certificate {subject} by one without critical extensions of its own.' },
  ],
  'weak-key': [
    {
      who: 'customer',
      do: 'Replace the certificate {subject} by one with a key of at least 2048 bits (RSA) or 256 bits (EC).',
    },
  ],
  'weak-signature': [
    { who: 'customer', do: 'Replace the certificate {subject} by one that is signed with SHA-256 or better.' },
  ],
  'name-constraints': [
    {
      who: 'customer',
      do: 'Install a certificate from an authority whose name constraints allow {host}; {subject} is at fault.',
    },
  ],
  'signature-mismatch': [
    {
      who: 'customer',
      do: 'Serve the issuer certificate that signed the server’s own: the served one has the same name and another key.',
      task: 'serve-chain',
    },
    {
      who: 'platform',
      do: 'Compare the fingerprints of the serverRoots of the destination with the customer’s authority: one may have the same name and another key.',
    },
  ],
  'certificate-type': [
    { who: 'customer', do: 'Install a certificate whose key type (RSA or EC) suits the cipher suites of the server.' },
  ],
  malformed: [
    { who: 'customer', do: 'Have the certificate {subject} and its chain issued again: OpenSSL cannot read them.' },
  ],
  'certificate-changed': [
    { who: 'customer', do: 'Serve the same certificate in every handshake of a connection.' },
    { who: 'network', do: 'If the server has one certificate, find out which system answers in place of {host}.' },
  ],
  'chain-unclear': [
    {
      who: 'customer',
      do: 'Serve the certificate and each issuer once, in order, without other certificates of the same name.',
      task: 'serve-chain',
    },
  ],
  'no-alternative-names': [
    {
      who: 'customer',
      do: 'Install a certificate whose subject alternative names include {expected}: a common name does not count.',
    },
  ],
  other: [
    {
      who: 'customer',
      do: 'Install a certificate for server authentication with a key of at least 2048 bits (RSA) or 256 bits (EC), signed with SHA-256 or better.',
    },
  ],
  unreadable: [{ who: 'customer', do: 'Have the certificate of the server issued again: it cannot be read.' }],
  'unknown-name': [
    { who: 'customer', do: 'Configure the site {serverName} on port {port}.', task: 'configure-tls' },
    {
      who: 'platform',
      do: 'Or set the serverName of the destination to a name that the server has, if {serverName} is not its name.',
    },
    { who: 'caller', do: 'Check the host of the URL.' },
  ],
  'tls-version': [{ who: 'customer', do: 'Enable TLS 1.2 or 1.3 for {host}.', task: 'configure-tls' }],
  'version-limits': [
    {
      who: 'platform',
      do: 'Widen minTlsVersion ({minTlsVersion}) and maxTlsVersion ({maxTlsVersion}) of the destination.',
    },
    { who: 'customer', do: 'Or enable one of the versions that the destination allows.', task: 'configure-tls' },
  ],
  'secure-renegotiation': [
    {
      who: 'customer',
      do: 'Enable secure renegotiation (RFC 5746) on the server or load balancer (NetScaler: denySSLReneg NONSECURE; GnuTLS: remove %DISABLE_SAFE_RENEGOTIATION), or offer TLS 1.3.',
    },
  ],
  'http2-only': [
    {
      who: 'customer',
      do: 'Offer HTTP/1.1 for {host} beside HTTP/2: add http/1.1 to the ALPN protocols of the server.',
    },
  ],
  'key-exchange': [
    {
      who: 'customer',
      do: 'Enable cipher suites with ECDHE for {host}; DHE and RSA key exchange are not used.',
      task: 'configure-tls',
    },
  ],
  'cipher-suite': [
    {
      who: 'customer',
      do: 'Enable a current cipher suite for {host}: ECDHE with AES-GCM, or TLS_AES_128_GCM_SHA256 with TLS 1.3.',
      task: 'configure-tls',
    },
  ],
  group: [
    {
      who: 'customer',
      do: 'Enable the group P-256 (secp256r1) or X25519 for the key exchange of {host}.',
      task: 'configure-tls',
    },
  ],
  'signature-algorithm': [
    {
      who: 'customer',
      do: 'Let the server sign handshakes with SHA-256 or better, or update its TLS library.',
      task: 'configure-tls',
    },
  ],
  'sha1-only': [
    {
      who: 'customer',
      do: 'Accept client signatures with SHA-256, for example rsa_pss_rsae_sha256 and ecdsa_secp256r1_sha256: the server accepts SHA-1 only, which no current client uses.',
      task: 'configure-tls',
    },
  ],
};

const serverLog: Entry = { who: 'customer', do: 'Check in the log of the server why it ended the handshake.' };

/** A handshake that the server ended without a cause that shows: by its alert. */
const byNegotiationAlert: Readonly<Record<string, readonly Entry[]>> = {
  handshake_failure: [
    serverLog,
    {
      who: 'customer',
      do: 'Offer TLS 1.2 or 1.3 with a current cipher suite under the name {host}.',
      task: 'configure-tls',
    },
  ],
  internal_error: [
    {
      who: 'customer',
      do: 'Check in the log of the server why it ended the handshake: often it has no certificate for {host}, or cannot use its key.',
    },
  ],
  insufficient_security: [
    {
      who: 'customer',
      do: 'Accept AES-GCM with ECDHE on P-256 or X25519 for {host}: the server demands stronger parameters than the platform offers.',
      task: 'configure-tls',
    },
  ],
  access_denied: [
    {
      who: 'customer',
      do: 'Check the rules of the server for client addresses and names: it denied access to {host}.',
    },
  ],
};

/** The server, or a device on the way, closed or reset the connection and sent no alert. */
const closedInHandshake: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Check in the log of the server, and of a load balancer or firewall in front of it, why it closes the connection: a rule for client addresses, or no site for {host}.',
  },
  {
    who: 'network',
    do: 'If the server sees no connection, find the device on the way that ends it: some do not pass a ClientHello of more than one packet.',
  },
];

/** Alerts about a message that cannot be read (RFC 8446, section 6.2): the other side sees other bytes than we sent. */
const unreadAlerts: ReadonlySet<string> = new Set([
  'unexpected_message',
  'bad_record_mac',
  'record_overflow',
  'illegal_parameter',
  'decode_error',
  'decrypt_error',
  'missing_extension',
  'unsupported_extension',
]);
const unreadMessage: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Update the TLS library of the server: it does not read the handshake of a current client.',
  },
  { who: 'network', do: 'If a device in front of {host} inspects TLS: exempt {host}.' },
];

function unexplained({ alert, reason }: Evidence): readonly Entry[] {
  if (typeof alert === 'string') {
    if (unreadAlerts.has(alert)) return unreadMessage;
    return byNegotiationAlert[alert] ?? [serverLog];
  }
  return reason === 'ECONNRESET' || reason === 'EPIPE' || reason === 'ECONNABORTED' ? closedInHandshake : [serverLog];
}

/** A fault in a certificate that the platform itself trusts: the customer cannot repair it. */
const inServerRoots: readonly Entry[] = [
  {
    who: 'platform',
    do: 'Replace {subject} in the serverRoots of the destination by the certificate that the customer’s authority uses now, after comparing its fingerprint with the customer.',
  },
];

/** Undefined if the finding has no cause of this table. */
export function serverRemedies({ code, evidence = {} }: Finding): readonly Entry[] | undefined {
  // A finding about our own certificate can have a reason of the same name.
  const isAboutServer = code.startsWith('server-certificate-') || code === 'tls-negotiation-failed';
  const isOfBoth = evidence.reason === 'sha1-only' || evidence.reason === 'http2-only';
  if (!isAboutServer && !isOfBoth) return undefined;
  if (evidence.inServerRoots === true) return inServerRoots;
  const { reason } = evidence;
  if (typeof reason !== 'string' || !Object.hasOwn(byServerReason, reason)) {
    return code === 'tls-negotiation-failed' ? unexplained(evidence) : undefined;
  }
  const entries = byServerReason[reason as ServerReason];
  return evidence.subject === undefined
    ? entries.map((entry) => ({ ...entry, do: entry.do.replaceAll('{subject}', 'of the server') }))
    : entries;
}
