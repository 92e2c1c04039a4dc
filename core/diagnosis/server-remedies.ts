// Remedies for each cause of a failed negotiation (step 2) and of a refused server certificate (step 3).

import type { NegotiationReason } from '../tls/negotiation-failure.ts';
import type { CertificateFault } from '../tls/verification-failure.ts';
import type { Finding } from './diagnosis.ts';
import type { Entry } from './refusal-remedies.ts';

type ServerReason =
  | CertificateFault
  | NegotiationReason
  | 'certificate-changed'
  | 'chain-unclear'
  | 'no-alternative-names'
  | 'no-certificate'
  | 'sha1-only'
  | 'unreadable';

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
  'chain-too-long': [{ who: 'customer', do: 'Serve a chain with fewer intermediate certificates.' }],
  revoked: [{ who: 'customer', do: 'Replace the certificate {subject}: it is revoked.' }],
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
  'no-certificate': [{ who: 'customer', do: 'Configure a certificate for {host} on port {port}.' }],
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
  if (!isAboutServer && evidence.reason !== 'sha1-only') return undefined;
  if (evidence.inServerRoots === true) return inServerRoots;
  const { reason } = evidence;
  if (typeof reason !== 'string' || !Object.hasOwn(byServerReason, reason)) return undefined;
  const entries = byServerReason[reason as ServerReason];
  return evidence.subject === undefined
    ? entries.map((entry) => ({ ...entry, do: entry.do.replaceAll('{subject}', 'of the server') }))
    : entries;
}
