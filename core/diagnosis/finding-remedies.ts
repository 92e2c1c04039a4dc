// The table of remedies by finding: the code, or the reason that the evidence names.
import { type Entry, trust } from './refusal-remedies.ts';

const slowApi: readonly Entry[] = [
  {
    who: 'caller',
    do: 'If the API only needs more time: run the diagnosis again with a longer timeout (--timeout), or with a faster path as the probe (--probe).',
  },
];

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
  'stapled-ocsp-refused': [
    {
      who: 'customer',
      do: 'Let the server complete handshakes of clients that ask for a stapled OCSP response: configure stapling, or, for wolfSSL, load the authority of the server’s own certificate.',
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
  'response-timeout': [{ who: 'customer', do: 'Check why the API does not answer the probe in time.' }, ...slowApi],
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
  validity: [{ who: 'platform', do: 'Rotate the identity {identity}.' }],
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
  'key-usage': [{ who: 'platform', do: 'Issue the identity with digitalSignature in the key usage of {certificate}.' }],
  'key-type': [
    {
      who: 'platform',
      do: 'Issue the identity with a key that every server accepts: EC on P-256, or RSA with 2048 bits or more.',
    },
  ],
};

/** The diagnosis cannot tell which of the two the missing certificate is; the reader applies one. */
export const ifIntermediate: Entry = {
  who: 'customer',
  do: 'If {missingIssuer} is an intermediate: serve it after the server’s own certificate.',
  task: 'serve-chain',
};
export const ifRoot: Entry = {
  who: 'platform',
  do: 'If {missingIssuer} is a root: add it to the serverRoots of the destination.',
};

/** Of a server that has our certificate and does not come to a decision. */
export const slowVerification: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Check why the server does not finish the verification of the client certificate: a revocation list, an OCSP responder or a directory that does not answer.',
  },
];

/** The handshake is complete, but nginx, IIS and servers that renegotiate verify behind it; or the API is slow. */
export const slowResponse: readonly Entry[] = [...slowVerification, ...slowApi];

export const letIn: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Check that the server verifies client certificates: it let in one whose issuer is not among those it names.',
  },
];
