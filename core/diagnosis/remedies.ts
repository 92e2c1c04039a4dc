// Remedies of a diagnosis: who must do what for each finding, with names and directives filled in.
import type { Evidence } from '../errors.ts';
import type { PageKind } from '../http/advice.ts';
import type { ClientFacts } from './client-certificate.ts';
import type { Finding, Remedy, StepReport, TrialResult } from './diagnosis.ts';
import { type Entry, type NamedIssuers, refusalRemedies, trust } from './refusal-remedies.ts';
import { serverRemedies } from './server-remedies.ts';
import { directiveFor, type Software, softwareNames } from './server-software.ts';

export interface RemedyContext {
  readonly software: Software | undefined;
  readonly host: string;
  readonly port: number;
  readonly identity: string;
  readonly page: PageKind | undefined;
  /** No certificate could be sent, so nothing was wrong with the one that was not. */
  readonly nothingSent: boolean;
  /** The server granted access despite its findings. */
  readonly isGranted: boolean;
  readonly issuers: NamedIssuers;
  /** Undefined if there is no usable identity. */
  readonly client: ClientFacts | undefined;
  /** The result of a remedy that the diagnosis tried. */
  readonly tried: TrialResult | undefined;
}

/** For the operator of a server that is not identified. The customer has the page, but no right to call the API. */
const onThePage =
  'The page docs/customers.md has the configuration for nginx, Apache httpd, HAProxy, Caddy, lighttpd, Tomcat, IIS and others.';

/** In the order of the steps; warnings about the server's certificate come last, because they prevented nothing. */
export function remediesFor(steps: readonly StepReport[], context: RemedyContext): readonly Remedy[] {
  const remedies = new Map<string, Remedy>();
  const findings = steps.flatMap(({ step, findings }) => findings.map((finding) => ({ step, finding })));
  const isAside = ({ step, finding }: (typeof findings)[number]) => step <= 3 && finding.severity === 'warning';
  const inOrder = [...findings.filter((one) => !isAside(one)), ...findings.filter(isAside)];
  for (const { finding } of inOrder) {
    if (finding.severity === 'note') continue;
    for (const entry of entriesFor(finding, context)) {
      if (entry.when && entry.when !== finding.certainty) continue;
      const remedy = fill(entry, finding.evidence ?? {}, context);
      if (!remedies.has(remedy.do)) remedies.set(remedy.do, remedy);
    }
  }
  return [...remedies.values()];
}

function entriesFor(finding: Finding, context: RemedyContext): readonly Entry[] {
  const { page, nothingSent, isGranted } = context;
  const { code, evidence = {}, certainty } = finding;
  const ofServer = serverRemedies(finding);
  if (ofServer) return ofServer;
  // Its remedy is that of the page.
  if (code === 'client-certificate-not-requested' && page === 'wanted-after-handshake') return [];
  if (code === 'client-certificate-rejected') return nothingSent ? [] : refusalRemedies(finding, context);
  // The step that timed out is that of the server's own verification.
  if (certainty === 'inferred' && (code === 'handshake-timeout' || evidence.handshake === 'unconfirmed')) {
    return slowVerification;
  }
  const value = evidence.reason;
  if (typeof value === 'string' && Object.hasOwn(byEvidence, value)) {
    if (certainty === 'inferred' && value === 'missing-intermediate') return [ifIntermediate, ifRoot];
    if (certainty === 'inferred' && value === 'unknown-root') return [ifRoot, ifIntermediate];
    return byEvidence[value] ?? [];
  }
  if (code === 'client-issuer-not-accepted' && isGranted) return letIn;
  // What is said of the handshake's signature comes first.
  if (code === 'client-chain-signature-not-accepted' && nothingSent) return [];
  return byCode[code] ?? [];
}

function fill(
  entry: Entry,
  evidence: Evidence,
  { software, host, port, identity, client, tried }: RemedyContext,
): Remedy {
  const words: Evidence = { ...client, ...evidence, host, port, identity };
  const text = entry.do.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = words[name];
    if (value === undefined) return place;
    return Array.isArray(value) ? value.slice(0, 3).join(', ') : String(value);
  });
  const { task } = entry;
  const directive = task && task !== 'configure-tls' && software ? directiveFor(task, software) : undefined;
  return {
    who: entry.who,
    do: task && !directive ? `${text} ${onThePage}` : text,
    ...(directive && software ? { directive, server: softwareNames[software] } : {}),
    ...(entry.isTried && tried ? { tried } : {}),
  };
}

/** `{host}`, `{port}`, `{identity}` and what the finding's evidence names are put in. */
export const byCode: Readonly<Record<string, readonly Entry[]>> = {
  'name-resolution-failed': [
    { who: 'caller', do: 'Check the spelling of {host}.' },
    { who: 'customer', do: 'Publish an address for {host} in the DNS.' },
  ],
  'connection-refused': [{ who: 'customer', do: 'Start the API on that port, or open the port in the firewall.' }],
  'connection-failed': [{ who: 'network', do: 'Check the route from the platform to {host}.' }],
  'connection-timeout': [
    { who: 'network', do: 'Let the addresses of the platform through the firewall in front of {host}.' },
  ],
  'server-not-tls': [
    { who: 'caller', do: 'Use the port on which the API serves HTTPS.' },
    { who: 'customer', do: 'Enable TLS on that port.' },
  ],
  'tls-negotiation-failed': [
    {
      who: 'customer',
      do: 'Offer TLS 1.2 or 1.3 with a current cipher suite under the name {host}.',
      task: 'configure-tls',
    },
  ],
  'handshake-timeout': [
    { who: 'customer', do: 'Check why the server accepts the connection but does not finish the handshake.' },
  ],
  'server-certificate-expired': [
    { who: 'customer', do: 'Install a certificate that is valid today, and reload the server.' },
  ],
  'server-certificate-expires-soon': [{ who: 'customer', do: 'Renew the certificate {subject} before it expires.' }],
  'server-certificate-name-mismatch': [
    {
      who: 'customer',
      do: 'Install a certificate whose subject alternative names include {expected}.',
    },
    {
      who: 'platform',
      do: 'Set the serverName of the destination to a name that the certificate has, if it is the right server.',
    },
  ],
  // OpenSSL refused a chain that leads to a trusted root.
  'server-certificate-untrusted': [
    {
      who: 'customer',
      do: 'Install a certificate whose chain is valid for servers, including purposes, path lengths and name constraints.',
    },
  ],
  'server-certificate-invalid': [
    {
      who: 'customer',
      do: 'Install a certificate for server authentication with a key of at least 2048 bits (RSA) or 256 bits (EC), signed with SHA-256 or better.',
    },
  ],
  'server-certificate-weak': [
    { who: 'customer', do: 'Replace the certificate {subject} by one with a current key size and signature.' },
  ],
  'server-certificate-pin-mismatch': [
    {
      who: 'platform',
      do: 'Ask the customer whether its key changed; if so, update the serverPins of the destination.',
    },
    { who: 'network', do: 'If the key did not change, find out which server answers in place of {host}.' },
  ],
  'server-chain-unordered': [
    {
      who: 'customer',
      do: 'Serve the chain in order: the certificate, then each issuer, each once, without the root.',
      task: 'serve-chain',
    },
  ],
  'stapled-ocsp-revoked': [{ who: 'customer', do: 'Replace the certificate: its authority has revoked it.' }],
  'stapled-ocsp-unknown': [
    {
      who: 'customer',
      do: 'Ask the authority why it does not know the certificate, or install another certificate.',
    },
  ],
  'stapled-ocsp-stale': [{ who: 'customer', do: 'Make the server fetch a new OCSP response.' }],
  'stapled-ocsp-invalid': [
    { who: 'customer', do: 'Correct the OCSP response that the server staples, or disable stapling.' },
  ],
  'stapled-ocsp-missing': [
    {
      who: 'customer',
      do: 'Enable OCSP stapling on the server, or install a certificate that does not demand it (must-staple).',
    },
  ],
  'client-certificate-not-requested': [
    { who: 'caller', do: 'Run the diagnosis again with a path of the API as the probe.', when: 'inferred' },
    {
      who: 'customer',
      do: 'Enable client certificate verification for {host} on port {port}.',
      task: 'trust-clients',
    },
  ],
  'client-issuer-not-accepted': trust,
  'client-signature-not-accepted': [
    { who: 'customer', do: 'Accept a signature algorithm of the client key.' },
    { who: 'platform', do: 'Or issue the identity with another kind of key.' },
  ],
  'client-chain-signature-not-accepted': [
    { who: 'customer', do: 'Accept the algorithms that the client certificates are signed with: {signatures}.' },
    {
      who: 'platform',
      do: 'Or issue the identity from an authority that signs with an algorithm that the server lists.',
    },
  ],
  'client-certificate-expires-soon': [{ who: 'platform', do: 'Rotate the identity {identity}.' }],
  'misdirected-request': [
    {
      who: 'platform',
      do: 'Set the serverName of the destination to the name under which the server has the API, if that is not {site}.',
    },
    {
      who: 'customer',
      do: 'Serve {site} at {host} on port {port} as one site, for the server name (SNI) as for the Host.',
    },
  ],
  'response-timeout': [{ who: 'customer', do: 'Check why the API does not answer the probe in time.' }],
  'response-incomplete': [
    { who: 'customer', do: 'Check in the log of the API why it ends the connection without a complete response.' },
  ],
  'response-malformed': [
    { who: 'customer', do: 'Correct the response of the API at {host} on port {port}: it is not valid HTTP/1.1.' },
  ],
  'probe-unexpected-status': [
    { who: 'caller', do: 'Use a probe path that answers 2xx to clients with access.' },
    { who: 'platform', do: 'Or set the probe of the destination, with the status that means access.' },
  ],
  'identity-unusable': [
    {
      who: 'platform',
      do: 'Store a corrected version of the identity {identity}; docs/identities.md lists the checks.',
    },
  ],
};

const noApi: readonly Entry[] = [
  { who: 'caller', do: 'Check that an API listens for HTTPS at {host} on port {port}.' },
];

/** By the reason that the evidence names; else by the code. */
export const byEvidence: Readonly<Record<string, readonly Entry[]>> = {
  'certificate-signature': [
    { who: 'customer', do: 'Accept certificates that are signed with {signature}.' },
    { who: 'platform', do: 'Or have the identity issued by an authority with another kind of key.' },
  ],
  'self-signed': [
    { who: 'platform', do: 'If the certificate is the right one, add it to the serverRoots of the destination.' },
    { who: 'customer', do: 'Or install a certificate of an authority.' },
  ],
  'unknown-root': [
    {
      who: 'platform',
      do: 'Add the customer’s root {missingIssuer} to the serverRoots of the destination, after comparing its fingerprint with the customer.',
    },
    { who: 'customer', do: 'Send the platform that root certificate, or use a certificate of a public authority.' },
  ],
  'missing-intermediate': [
    {
      who: 'customer',
      do: 'Serve the intermediate certificate {missingIssuer} after the server’s own.',
      task: 'serve-chain',
    },
  ],
  // The response does not begin as HTTP/1 does: another protocol.
  HPE_INVALID_CONSTANT: noApi,
  HPE_INVALID_VERSION: noApi,
  'no-server-name': [
    {
      who: 'platform',
      do: 'Set the serverName of the destination to the name of the API: without it, a call to an address has no server name (SNI).',
    },
    { who: 'customer', do: 'Or serve the API at {site} on port {port} without a server name (SNI).' },
  ],
  'chain-incomplete': [
    { who: 'platform', do: 'Store the intermediate certificate {missingIssuer} with the identity {identity}.' },
  ],
  'extended-key-usage': [
    { who: 'platform', do: 'Issue the identity with clientAuth in the extended key usage of {certificate}.' },
  ],
  'critical-extension': [
    {
      who: 'platform',
      do: 'Issue the identity without the critical extension {extensions}, or mark it as not critical.',
    },
  ],
  'name-constraints': [
    {
      who: 'platform',
      do: 'Issue the identity with names that the name constraints of {certificate} permit, or from an authority without them.',
    },
  ],
  'chain-depth': [
    {
      who: 'customer',
      do: 'Allow {intermediates} intermediate certificates below the root: nginx and Apache allow one by default.',
      task: 'trust-clients',
    },
  ],
  'key-type': [
    {
      who: 'platform',
      do: 'Issue the identity with a key that every server accepts: EC on P-256, or RSA with 2048 bits or more.',
    },
  ],
};

/** The diagnosis cannot tell which of the two the missing certificate is; the reader applies one. */
const ifIntermediate: Entry = {
  who: 'customer',
  do: 'If {missingIssuer} is an intermediate: serve it after the server’s own certificate.',
  task: 'serve-chain',
};
const ifRoot: Entry = {
  who: 'platform',
  do: 'If {missingIssuer} is a root: add it to the serverRoots of the destination.',
};

/** Of a server that has our certificate and does not come to a decision. */
const slowVerification: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Check why the server does not finish the verification of the client certificate: a revocation list, an OCSP responder or a directory that does not answer.',
  },
];

const letIn: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Check that the server verifies client certificates: it let in one whose issuer is not among those it names.',
  },
];
