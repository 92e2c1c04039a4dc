// The cells of the matrix: the configuration of the server, the certificate of the platform, and the title of each.
import type { ClientName, MatrixCertificates } from './certificates.ts';
import type { Listener } from './listener.ts';

export type TlsVersion = Listener['protocol'];

/** How a listener is set up, beside its port and version. */
type Setup = Omit<Listener, 'port' | 'protocol'>;

export interface Cell {
  readonly title: string;
  readonly client: ClientName;
  /** Cells with the same setup share a listener. */
  readonly setup: SetupName;
  /** A diagnosis that sends no request after the handshake; there is no such call. */
  readonly noRequest?: boolean;
}

const all = {
  accepted: { title: 'accepted, EC key', client: 'ec', setup: 'mutual' },
  acceptedRsa: { title: 'accepted, RSA key', client: 'rsa', setup: 'mutual' },
  absent: { title: 'absent', client: 'ec', setup: 'rsaClientsOnly' },
  unknownAuthority: { title: 'of an unknown CA', client: 'stranger', setup: 'mutual' },
  expired: { title: 'expired', client: 'expired', setup: 'mutual' },
  notYetValid: { title: 'not yet valid', client: 'notYetValid', setup: 'mutual' },
  wrongUsage: { title: 'without client authentication', client: 'serverUsage', setup: 'mutual' },
  noIntermediate: { title: 'intermediate missing', client: 'withoutIntermediate', setup: 'mutual' },
  revoked: { title: 'revoked', client: 'revoked', setup: 'revoking' },
  notRevoked: { title: 'not on the list', client: 'ec', setup: 'revoking' },
  neverAsked: { title: 'server never asks', client: 'ec', setup: 'oneWay' },
  serverExpired: { title: 'server certificate expired', client: 'ec', setup: 'expired' },
  serverUnknown: { title: 'server certificate of an unknown root', client: 'ec', setup: 'unknownRoot' },
  serverOtherName: { title: 'server certificate for another name', client: 'ec', setup: 'anotherName' },
  serverNoIntermediate: { title: 'server intermediate missing', client: 'ec', setup: 'withoutIntermediate' },
  acceptedQuietly: { title: 'accepted, no request sent', client: 'ec', setup: 'mutual', noRequest: true },
  refusedQuietly: { title: 'of an unknown CA, no request sent', client: 'stranger', setup: 'mutual', noRequest: true },
  oldProtocol: { title: 'server only on TLS 1.1', client: 'ec', setup: 'mutual' },
} as const satisfies Record<string, Cell>;

export type CellName = keyof typeof all;
export const cells: Readonly<Record<CellName, Cell>> = all;
export const cellNames = Object.keys(cells) as CellName[];

export const setups = {
  mutual: ({ servers, platformRoot }) => ({ ...shows(servers.sound), clientRoots: platformRoot }),
  rsaClientsOnly: ({ servers, platformRoot }) => ({
    // With an EC key of its own a server could not sign under the same restriction.
    ...shows(servers.rsa),
    clientRoots: platformRoot,
    rsaClientsOnly: true,
  }),
  revoking: ({ servers, platformRoot, revocationLists }) => ({
    ...shows(servers.sound),
    clientRoots: platformRoot,
    revoked: revocationLists,
  }),
  oneWay: ({ servers }) => shows(servers.sound),
  expired: ({ servers, platformRoot }) => ({ ...shows(servers.expired), clientRoots: platformRoot }),
  unknownRoot: ({ servers, platformRoot }) => ({ ...shows(servers.unknownRoot), clientRoots: platformRoot }),
  anotherName: ({ servers, platformRoot }) => ({ ...shows(servers.anotherName), clientRoots: platformRoot }),
  withoutIntermediate: ({ servers, platformRoot }) => ({
    ...shows(servers.withoutIntermediate),
    clientRoots: platformRoot,
  }),
} as const satisfies Record<string, (certificates: MatrixCertificates) => Setup>;

export type SetupName =
  | 'mutual'
  | 'rsaClientsOnly'
  | 'revoking'
  | 'oneWay'
  | 'expired'
  | 'unknownRoot'
  | 'anotherName'
  | 'withoutIntermediate';

function shows({ certificate, intermediates, privateKey }: MatrixCertificates['servers']['sound']) {
  return { chain: certificate + intermediates, privateKey };
}

/** Where each cell is tried. */
export function versionsOf(name: CellName): readonly TlsVersion[] {
  return name === 'oldProtocol' ? ['TLSv1.1'] : ['TLSv1.2', 'TLSv1.3'];
}
