// Remedies for a refused client certificate: by what the server said, whether it names our issuer, and our certificate.
import type { Evidence } from '../errors.ts';
import type { ClientFacts } from './client-certificate.ts';
import type { Certainty, ClientReport, Finding, RequestReport, Who } from './diagnosis.ts';
import type { Software, Task } from './server-software.ts';

export interface Entry {
  readonly who: Who;
  readonly do: string;
  /** Only for a finding of that certainty. */
  readonly when?: Certainty;
  /** A diagnosis tries this remedy, with TLS 1.2. */
  readonly isTried?: true;
  /** The configuration that the customer's server needs. */
  readonly task?: Task | 'configure-tls';
}

/** Whether the issuers that the server names in its request contain ours; `any` if it names none, or did not ask. */
export type NamedIssuers = 'ours' | 'others' | 'any';

export function issuersOf(
  { acceptableIssuerCount }: RequestReport,
  { issuerAccepted }: Pick<ClientReport, 'issuerAccepted'>,
): NamedIssuers {
  if (acceptableIssuerCount === 0 || issuerAccepted === undefined) return 'any';
  return issuerAccepted ? 'ours' : 'others';
}

interface RefusalContext {
  readonly software: Software | undefined;
  readonly issuers: NamedIssuers;
  readonly client: ClientFacts | undefined;
}

export const trust: readonly Entry[] = [
  {
    who: 'customer',
    do: 'Add the root certificate of the platform to the authorities trusted for clients, and accept the intermediates that come with the client certificate.',
    task: 'trust-clients',
  },
];
const lookUp: Entry = {
  who: 'customer',
  do: 'Check in the log of the server why it refused the client certificate.',
};
/** nginx has one page for every fault, and by default does not log which it is (docs/customers.md). */
const lookUpInNginx: Entry = {
  who: 'customer',
  do: 'Check in the log of the server why it refused the client certificate; nginx writes the reason with error_log at the level info.',
};
const closedAfterHandshake: Entry = {
  who: 'customer',
  do: 'Check in the log of the server why it closed the connection: the client certificate, no common ALPN protocol (the platform offers http/1.1), or a rule for client addresses.',
};
const clock: Entry = {
  who: 'customer',
  do: 'Check the clock of the server: the client certificate is valid from {validFrom} to {validTo}.',
};
const clockAndLists: Entry = {
  who: 'customer',
  do: 'Check the clock of the server and renew its revocation lists: the client certificate is valid until {validTo}, and a server gives this answer for an expired list too.',
};
const depth: Entry = {
  who: 'customer',
  do: 'Allow a chain with {intermediates} intermediate certificates below the root (the verification depth of the server).',
  task: 'trust-clients',
};
const sameKey: Entry = {
  who: 'customer',
  do: 'Compare the SHA-256 fingerprint of {root} in the trusted authorities of the server with ours, {rootFingerprint}: one with the same name and another key does not verify.',
};
const lists: Entry = {
  who: 'customer',
  do: 'If the server checks revocation: load a current revocation list of each authority of the chain.',
};
const allowSubject: Entry = {
  who: 'customer',
  do: 'Check that the subject of the client certificate has access to that path.',
};
const rotate: Entry = { who: 'platform', do: 'Rotate the identity {identity}.' };
const listKey: Entry = {
  who: 'customer',
  do: 'If the server checks revocation: check that each list is signed with the key of its authority that is in use now.',
};
const withoutPss: readonly Entry[] = [
  {
    who: 'customer',
    do: 'If the server cannot verify RSA-PSS signatures, which TLS 1.3 requires: update its TLS library.',
  },
  {
    who: 'platform',
    do: 'Or issue the identity {identity} with an EC key on P-256, or set maxTlsVersion of the destination to TLSv1.2.',
  },
];
const changedOnTheWay: Entry = {
  who: 'network',
  do: 'If a device in front of {host} inspects TLS: exempt {host}. The client key signs the whole handshake, so it must arrive unchanged.',
};

const pagesWithOwnRemedies: Readonly<Record<string, readonly Entry[]>> = {
  denied: [{ who: 'customer', do: 'Map the subject of the client certificate to an account that can use the API.' }],
  'wanted-after-handshake': [
    {
      who: 'customer',
      do: 'Ask for the client certificate for the whole virtual host, in the handshake.',
      task: 'ask-in-handshake',
    },
    {
      who: 'platform',
      do: 'Set maxTlsVersion of the destination to TLSv1.2, where the server can ask again.',
      isTried: true,
    },
  ],
};

/** The finding is a `client-certificate-rejected`, and a certificate was sent. */
export function refusalRemedies(
  { evidence = {}, certainty }: Finding,
  { software, issuers, client }: RefusalContext,
): readonly Entry[] {
  const { alert = '', page = '', handshake, status, protocol } = evidence;
  const isValid = client?.isValid ?? true;
  const own = pagesWithOwnRemedies[String(page)];
  if (own) return own;
  if (alert === 'certificate_expired') return isValid ? [clockAndLists] : [rotate, clock];
  if (page === 'expired-or-revoked') return isValid ? [clockAndLists, rotate] : [rotate, clockAndLists];
  if (alert === 'certificate_revoked') {
    return [
      { who: 'platform', do: 'Rotate the identity {identity}: its certificate is on a revocation list.' },
      { who: 'customer', do: 'Or correct the revocation list of the server.' },
    ];
  }
  if (alert === 'unsupported_certificate') {
    const accept = { who: 'customer', do: 'Accept the key type and usage of the client certificate.' } as const;
    // A finding of step 4 has the remedy of the platform.
    return client && !client.isForClients ? [accept] : [accept, lookUp];
  }
  if (alert === 'decrypt_error') return unverifiedSignature(protocol, client);
  const log = handshake === 'complete' ? closedAfterHandshake : software === 'nginx' ? lookUpInNginx : lookUp;
  // 401 or 403 without a known page, behind a complete handshake.
  if (status !== undefined && page === '') return [log, allowSubject, ...(issuers === 'ours' ? [] : trust)];
  if (issuers === 'ours') return [log, ...causesBelowKnownRoot(String(alert), client)];
  if (logFirst.has(String(alert)) || handshake === 'complete') return [log, ...trust];
  // OpenSSL sends `bad_certificate` for several faults, but not for an unknown authority; Go sends it for every fault.
  // An inferred refusal can have any reason.
  if (certainty === 'inferred' || alert === 'bad_certificate') return [log, ...trust];
  // A server that names no issuer can have another reason than trust.
  return issuers === 'others' ? trust : [...trust, log];
}

/** Java, GnuTLS: each has one alert for every fault of a certificate (docs/servers.md). */
const logFirst: ReadonlySet<string> = new Set(['certificate_unknown', 'access_denied']);

/** The server knows the name of our root or intermediate, so to add the root changes nothing. */
function causesBelowKnownRoot(alert: string, client: ClientFacts | undefined): readonly Entry[] {
  if (!client) return [];
  const deep = client.intermediates > 0 ? [depth] : [];
  const same = client.rootFingerprint ? [sameKey] : [];
  // An authority that is not found has nothing to do with the clock.
  return alert === 'unknown_ca' ? [...deep, ...same, lists] : [clock, ...deep, ...same, lists];
}

/**
 * `decrypt_error` is a signature that does not verify (RFC 8446, section 6.2). OpenSSL sends it for certificates and
 * revocation lists too (x509table in ssl/statem/statem_lib.c). Our own key is not the cause: the identity is proved to
 * fit its certificate. Over TLS 1.3 an RSA key signs with PSS (RFC 8446, section 4.2.3).
 */
function unverifiedSignature(
  protocol: Evidence[string] | undefined,
  client: ClientFacts | undefined,
): readonly Entry[] {
  const same = client?.rootFingerprint ? [sameKey] : [];
  const pss = client?.isRsa && protocol === 'TLSv1.3' ? withoutPss : [];
  return [lookUp, ...same, ...pss, listKey, changedOnTheWay];
}
