// The settings of a server on one port, and the interface of the real servers: a version and a start.
import { spawnSync } from 'node:child_process';
import { findLibrary, findPeer, type Peer } from '../support/peers.ts';
import type { Folder, Resources } from './resources.ts';

export interface Listener {
  readonly port: number;
  /** The one version it speaks. */
  readonly protocol: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM, PKCS#8. */
  readonly privateKey: string;
  /** PEM: the authorities whose client certificates it demands; absent: it never asks for one. */
  readonly clientRoots?: string;
  /** PEM: revocation lists, one for each authority of the client's chain. */
  readonly revoked?: string;
  /** It takes RSA signatures of clients alone, so that a client with an EC key has no certificate to send. */
  readonly rsaClientsOnly?: boolean;
  /** It takes ECDSA on P-256 alone of clients, and no other group. */
  readonly p256Only?: boolean;
  /** TLS 1.2: it takes SHA-1 signatures of clients alone. */
  readonly sha1ClientsOnly?: boolean;
  /** How many intermediate certificates it allows in a client's chain. */
  readonly depth?: number;
  /** Its one ALPN protocol is h2. */
  readonly h2Only?: boolean;
  /** The one server name (SNI) it knows; it refuses others. */
  readonly strictName?: string;
  /** `host:port` of a responder (OCSP) that it asks about a client's certificate; this one never answers. */
  readonly lookUp?: string;
}

/** What only some servers can be configured for; they list it as `conditions`. */
export type Condition = 'clock' | 'depth' | 'h2Only' | 'lookUp' | 'misdirected' | 'p256Only' | 'sha1' | 'strictName';

export interface RealServer {
  /** As it is called in the tables. */
  readonly title: string;
  readonly needs: readonly Peer[];
  /** What it prints of itself. */
  version(): string;
  /** What it lacks beside its programs; asked only when those are there. */
  missing?(): string | undefined;
  /** Ready when it resolves; ended with the scope. `GET /` answers 200 to whom it lets in. */
  start(listeners: readonly Listener[], resources: Resources): Promise<void>;
  /**
   * `clock`: its process reads the clock of libfaketime. `misdirected`: it answers 421 on /misdirected. The others are
   * members of Listener.
   */
  readonly conditions?: readonly Condition[];
}

export interface ListenerFiles {
  readonly chain: string;
  readonly key: string;
  /** Chain and key in one file. */
  readonly bundle: string;
  /** Undefined when it never asks. */
  readonly roots: string | undefined;
  readonly revoked: string | undefined;
}

export function filesOf(folder: Folder, listener: Listener): ListenerFiles {
  const { port, chain, privateKey, clientRoots, revoked } = listener;
  return {
    chain: folder.write(`${port}.pem`, chain),
    key: folder.write(`${port}.key`, privateKey),
    bundle: folder.write(`${port}.bundle.pem`, chain + privateKey),
    roots: clientRoots === undefined ? undefined : folder.write(`${port}.roots.pem`, clientRoots),
    revoked: revoked === undefined ? undefined : folder.write(`${port}.crl.pem`, revoked),
  };
}

type SignatureLimits = Pick<Listener, 'rsaClientsOnly' | 'p256Only' | 'sha1ClientsOnly'>;

/** OpenSSL's names of the signatures that it takes of clients; undefined: the defaults. */
export function clientSignaturesOf(listener: SignatureLimits): string | undefined {
  if (listener.sha1ClientsOnly) return 'ECDSA+SHA1:RSA+SHA1';
  if (listener.p256Only) return 'ECDSA+SHA256';
  return listener.rsaClientsOnly ? 'RSA-PSS+SHA256:RSA+SHA256' : undefined;
}

/** OpenSSL 3 signs TLS 1.1's handshake with SHA-1, which its security level 0 alone allows. */
export function ciphersOf({ protocol, sha1ClientsOnly }: Listener): string {
  if (protocol === 'TLSv1.1') return 'ALL:@SECLEVEL=0';
  return sha1ClientsOnly ? 'DEFAULT:@SECLEVEL=0' : 'DEFAULT';
}

/** OpenSSL's own file, which every process over OpenSSL 3 reads, for servers without a setting of their own. */
export function opensslSettings(folder: Folder, settings: Readonly<Record<string, string>>): Record<string, string> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  if (lines.length === 0) return {};
  const sections = '[all]\nssl_conf = ssl\n[ssl]\nsystem_default = defaults\n[defaults]\n';
  return { OPENSSL_CONF: folder.write('openssl.cnf', `openssl_conf = all\n${sections}${lines.join('')}`) };
}

/** What `opensslSettings` can set for all listeners of a process. */
export function limitsOf(listener: SignatureLimits | undefined): Record<string, string> {
  const signatures = listener && clientSignaturesOf(listener);
  return {
    ...(signatures ? { ClientSignatureAlgorithms: signatures } : {}),
    ...(listener?.p256Only ? { Groups: 'P-256' } : {}),
  };
}

/** For servers with one setting for all listeners. */
export function groupsOf(listeners: readonly Listener[], keyOf: (listener: Listener) => string): Listener[][] {
  return Object.values(Object.groupBy(listeners, keyOf)).filter((group) => group !== undefined);
}

export const portsOf = (listeners: readonly Listener[]) => listeners.map(({ port }) => port);

/** The program's path; its test is skipped if the program is not installed. */
export function programOf(peer: Peer): string {
  const path = findPeer(peer);
  if (!path) throw new Error(`There is no ${peer} here.`);
  return path;
}

/** The first version number that the program prints. */
export function versionOf(peer: Peer, args: readonly string[], pattern = /\d+(?:\.\d+)+[a-z]?/): string {
  const { stdout, stderr } = spawnSync(programOf(peer), args, { encoding: 'utf8' });
  return pattern.exec(stdout + stderr)?.[0] ?? 'unknown';
}

type Prerequisites = Pick<RealServer, 'needs' | 'missing' | 'conditions'>;

/**
 * What is missing for this server to run here, in words; undefined when nothing is. The revocation lists need openssl.
 */
export function missingFor({ needs, missing, conditions }: Prerequisites): string | undefined {
  const absent: string[] = [...new Set<Peer>([...needs, 'openssl'])].filter((peer) => !findPeer(peer));
  if (conditions?.includes('clock') && !findLibrary('faketime')) absent.push('libfaketime');
  return absent.length > 0 ? absent.join(', ') : missing?.();
}
