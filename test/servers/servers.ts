// Every server of the matrix by its name, with the cells that it cannot be put into.
import { apache, apacheLocation } from './apache.ts';
import { caddy } from './caddy.ts';
import type { CellName, TlsVersion } from './cells.ts';
import type { ClientName } from './certificates.ts';
import { erlang } from './erlang.ts';
import type { ServerName } from './expectations.ts';
import { gnutls } from './gnutls.ts';
import { go } from './go.ts';
import { haproxy } from './haproxy.ts';
import { hitch } from './hitch.ts';
import { bouncyCastleSocket, javaHttps, javaSocket } from './java.ts';
import { lighttpd, lighttpdGnutls, lighttpdMbedtls, lighttpdWolfssl } from './lighttpd.ts';
import type { RealServer } from './listener.ts';
import { nghttpx } from './nghttpx.ts';
import { nginx } from './nginx.ts';
import { node } from './node.ts';
import { nss } from './nss.ts';
import { openssl } from './openssl.ts';
import { python } from './python.ts';
import { ruby } from './ruby.ts';
import { squid } from './squid.ts';
import { stunnel } from './stunnel.ts';
import { tomcat } from './tomcat.ts';
import { uwsgi } from './uwsgi.ts';

export interface MatrixServer extends RealServer {
  readonly without?: readonly CellName[];
  readonly withoutVersions?: readonly TlsVersion[];
  /** What is presented instead in a cell. */
  readonly clients?: Readonly<Partial<Record<CellName, ClientName>>>;
}

/**
 * Servers without a setting for the signatures that they take, and without Ed448 among them: crypto/tls of Go
 * (supportedSignatureAlgorithms), NSS and mbedTLS.
 */
const withoutEd448 = { absent: 'ed448' } as const;

const readsNoList = ['revoked', 'notRevoked', 'listExpired', 'listMissing'] as const;

export const servers: Readonly<Record<ServerName, MatrixServer>> = {
  nginx,
  apache,
  apacheLocation,
  haproxy,
  caddy: { ...caddy, clients: withoutEd448, without: [...readsNoList, 'oldProtocol'] },
  stunnel,
  lighttpd,
  openssl,
  gnutls,
  tomcat,
  javaSocket,
  javaHttps,
  go: { ...go, clients: withoutEd448, without: readsNoList },
  node,
  hitch: { ...hitch, without: readsNoList },
  squid,
  nghttpx: { ...nghttpx, without: readsNoList },
  uwsgi: { ...uwsgi, without: readsNoList },
  python,
  lighttpdGnutls,
  // Its cipher suites have no TLS 1.1, and Ed448 is among its signatures. It reads the lists of authorities of ca-file
  // only, and completes a chain with the certificates of other connections.
  lighttpdWolfssl: { ...lighttpdWolfssl, without: ['absent', 'noIntermediate', 'oldProtocol', ...readsNoList] },
  // mbedTLS 2.28 has no TLS 1.3 server; its cipher suites have no TLS 1.1. With revocation lists, lighttpd
  // ends with a fault of memory.
  lighttpdMbedtls: {
    ...lighttpdMbedtls,
    clients: withoutEd448,
    without: ['oldProtocol', ...readsNoList],
    withoutVersions: ['TLSv1.3'],
  },
  // As wolfSSL, it completes a chain with the certificates of other connections.
  nss: { ...nss, clients: withoutEd448, without: ['noIntermediate'] },
  erlang,
  ruby,
  bouncyCastleSocket,
};
