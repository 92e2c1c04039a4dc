// Every server of the matrix by its name, with the cells that it cannot be put into.
import { apache, apacheLocation } from './apache.ts';
import { caddy } from './caddy.ts';
import type { CellName } from './cells.ts';
import type { ClientName } from './certificates.ts';
import type { ServerName } from './expectations.ts';
import { gnutls } from './gnutls.ts';
import { go } from './go.ts';
import { haproxy } from './haproxy.ts';
import { javaHttps, javaSocket } from './java.ts';
import { lighttpd } from './lighttpd.ts';
import type { RealServer } from './listener.ts';
import { nginx } from './nginx.ts';
import { node } from './node.ts';
import { openssl } from './openssl.ts';
import { stunnel } from './stunnel.ts';
import { tomcat } from './tomcat.ts';

export interface MatrixServer extends RealServer {
  readonly without?: readonly CellName[];
  /** What is presented instead in a cell. */
  readonly clients?: Readonly<Partial<Record<CellName, ClientName>>>;
}

/**
 * Go has no setting for the signatures it takes; Ed448 is not among them (crypto/tls, supportedSignatureAlgorithms).
 */
const goClients = { absent: 'ed448' } as const;

const readsNoList = ['revoked', 'notRevoked', 'listExpired', 'listMissing'] as const;

export const servers: Readonly<Record<ServerName, MatrixServer>> = {
  nginx,
  apache,
  apacheLocation,
  haproxy,
  caddy: { ...caddy, clients: goClients, without: [...readsNoList, 'oldProtocol'] },
  stunnel,
  lighttpd,
  openssl,
  gnutls,
  tomcat,
  javaSocket,
  javaHttps,
  go: { ...go, clients: goClients, without: readsNoList },
  node,
};
