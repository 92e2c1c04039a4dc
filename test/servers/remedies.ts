// The first remedy of a diagnosis as a kind: who must act, and the words by which the matrix recognizes it.
import type { Remedy, Who } from '../../core/diagnosis/diagnosis.ts';
import type { CellName, TlsVersion } from './cells.ts';

interface KnownRemedy {
  readonly who: Who;
  readonly says: RegExp;
}

const known = {
  'trust the root': { who: 'customer', says: /^Add the root certificate of the platform/ },
  'read the log': { who: 'customer', says: /^Check in the log of the server\b/ },
  'accept the signature': { who: 'customer', says: /^Accept a signature algorithm of the client key/ },
  'ask in the handshake': { who: 'customer', says: /^Ask for the client certificate for the whole virtual host/ },
  'ask for the certificate': { who: 'customer', says: /^Enable client certificate verification/ },
  'rotate the identity': { who: 'platform', says: /^Rotate the identity/ },
  'issue for client authentication': { who: 'platform', says: /^Issue the identity with clientAuth/ },
  'store the intermediate': { who: 'platform', says: /^Store the intermediate certificate/ },
  'name a path in the probe': { who: 'caller', says: /^Run the diagnosis again with a path/ },
  'install a valid certificate': { who: 'customer', says: /^Install a certificate that is valid today/ },
  'install a certificate for the name': {
    who: 'customer',
    says: /^Install a certificate whose subject alternative names/,
  },
  'serve the intermediate': { who: 'customer', says: /serve it after the server’s own|^Serve the intermediate/ },
  'trust the customer’s root': {
    who: 'platform',
    says: /add it to the serverRoots|^Add the customer’s root .* to the serverRoots/,
  },
  'serve the chain in order': { who: 'customer', says: /^Serve the chain in order/ },
  'check clock and lists': {
    who: 'customer',
    says: /^Check the clock of the server and renew its revocation lists/,
  },
  'allow the depth': { who: 'customer', says: /^Allow (?:\d+ intermediate|a chain with)/ },
  'issue without the extension': { who: 'platform', says: /^Issue the identity without the critical extension/ },
  'issue within the constraints': { who: 'platform', says: /^Issue the identity with names that the name constraints/ },
  'issue with digitalSignature': { who: 'platform', says: /^Issue the identity with digitalSignature/ },
  'issue with a usual key': { who: 'platform', says: /^Issue the identity with a key that every server accepts/ },
  'accept SHA-256': { who: 'customer', says: /^Accept client signatures with SHA-256/ },
  'widen the version limits': { who: 'platform', says: /^Widen minTlsVersion/ },
  'offer HTTP/1.1': { who: 'customer', says: /^Offer HTTP\/1\.1/ },
  'configure the name': { who: 'customer', says: /^Configure the site/ },
  'set the server name': { who: 'platform', says: /^Set the serverName of the destination/ },
  'find out what hangs': { who: 'customer', says: /^Check why the server does not finish the verification/ },
  'let in who asks for a staple': { who: 'customer', says: /^Let the server complete handshakes of clients/ },
  'staple OCSP': { who: 'customer', says: /^Enable OCSP stapling/ },
  'enable TLS 1.2 or 1.3': { who: 'customer', says: /^Enable TLS 1\.2 or 1\.3/ },
} as const satisfies Record<string, KnownRemedy>;

/** `–`: no remedy is due. */
export type RemedyKind = keyof typeof known | '–';

export function whoActs(kind: RemedyKind): Who | '–' {
  return kind === '–' ? '–' : known[kind].who;
}

/** The kind, or the words of a remedy that no kind has. */
export function kindOf(remedy: Remedy | undefined): string {
  if (!remedy) return '–';
  const kinds = Object.entries(known).filter(([, { says }]) => says.test(remedy.do));
  return kinds.length === 1 && kinds[0] ? kinds[0][0] : remedy.do;
}

/** One for both TLS versions, or one for each. */
export type ExpectedRemedy = RemedyKind | { readonly 'TLSv1.2': RemedyKind; readonly 'TLSv1.3': RemedyKind };

/** The remedy of each condition if the server says no more than that it refuses. */
export const remedyOfCell: Readonly<Record<CellName, RemedyKind>> = {
  accepted: '–',
  acceptedRsa: '–',
  absent: 'accept the signature',
  unknownAuthority: 'trust the root',
  expired: 'rotate the identity',
  notYetValid: 'rotate the identity',
  wrongUsage: 'issue for client authentication',
  noIntermediate: 'store the intermediate',
  revoked: 'read the log',
  notRevoked: '–',
  neverAsked: 'ask for the certificate',
  serverExpired: 'install a valid certificate',
  serverUnknown: 'trust the customer’s root',
  serverOtherName: 'install a certificate for the name',
  serverNoIntermediate: 'serve the intermediate',
  acceptedQuietly: '–',
  refusedQuietly: 'trust the root',
  oldProtocol: 'enable TLS 1.2 or 1.3',
  clockAhead: 'read the log',
  clockBehind: 'read the log',
  namesakeRoot: 'read the log',
  shallow: 'allow the depth',
  listExpired: 'read the log',
  listMissing: 'read the log',
  criticalExtension: 'issue without the extension',
  constrained: 'issue within the constraints',
  keyUsage: 'issue with digitalSignature',
  p521: '–',
  p256Only: 'issue with a usual key',
  sha1Only: 'accept SHA-256',
  versionLimits: 'widen the version limits',
  http2Only: 'offer HTTP/1.1',
  unknownName: 'configure the name',
  misdirected: 'set the server name',
  hangs: 'find out what hangs',
  mustStaple: 'staple OCSP',
  commonNameOnly: 'install a certificate for the name',
};

export function remedyAt(expected: ExpectedRemedy, version: TlsVersion): RemedyKind {
  if (typeof expected === 'string') return expected;
  return version === 'TLSv1.1' ? '–' : expected[version];
}
