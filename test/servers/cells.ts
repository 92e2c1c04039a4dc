// The cells of the matrix: the configuration of the server, the certificate of the platform, and the title of each.

import type { Destination } from '../../core/destination/destination.ts';
import type { ClientName, MatrixCertificates } from './certificates.ts';
import type { Condition, Listener } from './listener.ts';

export type TlsVersion = Listener['protocol'];

/** How a listener is set up, beside its port and version. */
type Setup = Omit<Listener, 'port' | 'protocol'>;

export interface Cell {
  readonly title: string;
  readonly client: ClientName;
  /** Cells with the same setup share a listener. */
  readonly setup: keyof typeof setups;
  /** A diagnosis that sends no request after the handshake; there is no such call. */
  readonly noRequest?: boolean;
  /** Only on servers that have it. */
  readonly needs?: Condition;
  /** Where it is tried; `TLSv1.2` and `TLSv1.3` by default. */
  readonly versions?: readonly TlsVersion[];
  /** Days by which the clock of the server is ahead. */
  readonly clock?: number;
  readonly path?: string;
  readonly timeoutMs?: number;
  /** Members of the destination that differ, by the version of the server. */
  destination?(version: TlsVersion): Partial<Destination>;
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
  oldProtocol: { title: 'server only on TLS 1.1', client: 'ec', setup: 'mutual', versions: ['TLSv1.1'] },
  clockAhead: {
    title: 'clock of the server 400 days ahead',
    client: 'ec',
    setup: 'mutual',
    needs: 'clock',
    clock: 400,
  },
  clockBehind: {
    title: 'clock of the server 20 days behind',
    client: 'ec',
    setup: 'mutual',
    needs: 'clock',
    clock: -20,
  },
  namesakeRoot: { title: 'server trusts a root of the same name with another key', client: 'ec', setup: 'namesake' },
  shallow: { title: 'chain deeper than the server allows', client: 'deep', setup: 'shallow', needs: 'depth' },
  listExpired: { title: 'revocation list expired', client: 'ec', setup: 'listExpired' },
  listMissing: { title: 'revocation list missing', client: 'ec', setup: 'listMissing' },
  criticalExtension: { title: 'unknown critical extension', client: 'criticalExtension', setup: 'mutual' },
  constrained: { title: 'name constraints violated', client: 'constrained', setup: 'mutual' },
  keyUsage: { title: 'key usage without digitalSignature', client: 'keyUsage', setup: 'mutual' },
  p521: { title: 'accepted, P-521 key', client: 'p521', setup: 'mutual' },
  p256Only: { title: 'P-521 key, server with P-256 only', client: 'p521', setup: 'p256Only', needs: 'p256Only' },
  sha1Only: {
    title: 'server accepts SHA-1 signatures only',
    client: 'ec',
    setup: 'sha1Only',
    needs: 'sha1',
    versions: ['TLSv1.2'],
  },
  versionLimits: {
    title: 'destination limited to another TLS version',
    client: 'ec',
    setup: 'mutual',
    destination: (version) => (version === 'TLSv1.2' ? { minTlsVersion: 'TLSv1.3' } : { maxTlsVersion: 'TLSv1.2' }),
  },
  http2Only: { title: 'server offers h2 only (ALPN)', client: 'ec', setup: 'h2Only', needs: 'h2Only' },
  unknownName: { title: 'server does not know the name (SNI)', client: 'ec', setup: 'strictName', needs: 'strictName' },
  misdirected: { title: 'answered with 421', client: 'ec', setup: 'mutual', needs: 'misdirected', path: 'misdirected' },
  hangs: { title: 'verification hangs', client: 'ec', setup: 'lookUp', needs: 'lookUp', timeoutMs: 3_000 },
  mustStaple: { title: 'server certificate with must-staple, no staple', client: 'ec', setup: 'mustStaple' },
  commonNameOnly: { title: 'server certificate with a common name only', client: 'ec', setup: 'commonNameOnly' },
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
  namesake: ({ servers, namesakeRoot }) => ({ ...shows(servers.sound), clientRoots: namesakeRoot }),
  shallow: ({ servers, platformRoot }) => ({ ...shows(servers.sound), clientRoots: platformRoot, depth: 1 }),
  listExpired: ({ servers, platformRoot, expiredLists }) => ({
    ...shows(servers.sound),
    clientRoots: platformRoot,
    revoked: expiredLists,
  }),
  listMissing: ({ servers, platformRoot, rootListOnly }) => ({
    ...shows(servers.sound),
    clientRoots: platformRoot,
    revoked: rootListOnly,
  }),
  p256Only: ({ servers, platformRoot }) => ({ ...shows(servers.sound), clientRoots: platformRoot, p256Only: true }),
  sha1Only: ({ servers, platformRoot }) => ({
    ...shows(servers.sound),
    clientRoots: platformRoot,
    sha1ClientsOnly: true,
  }),
  h2Only: ({ servers, platformRoot }) => ({ ...shows(servers.sound), clientRoots: platformRoot, h2Only: true }),
  strictName: ({ servers, platformRoot }) => ({
    ...shows(servers.anotherName),
    clientRoots: platformRoot,
    strictName: 'another.example',
  }),
  lookUp: ({ servers, platformRoot, responder }) => ({
    ...shows(servers.sound),
    clientRoots: platformRoot,
    lookUp: responder,
  }),
  mustStaple: ({ servers, platformRoot }) => ({ ...shows(servers.mustStaple), clientRoots: platformRoot }),
  commonNameOnly: ({ servers, platformRoot }) => ({ ...shows(servers.commonNameOnly), clientRoots: platformRoot }),
} as const satisfies Record<string, (parts: SetupParts) => Setup>;

export interface SetupParts extends MatrixCertificates {
  /** `host:port`: accepts connections and never answers. */
  readonly responder: string;
}

function shows({ certificate, intermediates, privateKey }: MatrixCertificates['servers']['sound']) {
  return { chain: certificate + intermediates, privateKey };
}

/** Where each cell is tried. */
export function versionsOf(name: CellName): readonly TlsVersion[] {
  return cells[name].versions ?? ['TLSv1.2', 'TLSv1.3'];
}
