// The certificates of the matrix: what the platform presents and what the servers show, sound or with one defect each.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Identity } from '../../core/identity/identity.ts';
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  type IssuedCertificate,
  openAuthority,
} from '../../local/authority/authority.ts';
import { programOf } from './listener.ts';
import type { Folder } from './resources.ts';

export interface MatrixCertificates {
  /** PEM: the root that customers trust. */
  readonly platformRoot: string;
  readonly customerRoots: string;
  /** PEM: another root with the name of `platformRoot`. */
  readonly namesakeRoot: string;
  /** PEM: one list for each of the platform's authorities; `clients.revoked` is on the issuer's. */
  readonly revocationLists: string;
  /** PEM: the same, out of date. */
  readonly expiredLists: string;
  /** PEM: the root's list alone. */
  readonly rootListOnly: string;
  readonly clients: Readonly<Record<ClientName, IssuedCertificate>>;
  readonly servers: Readonly<Record<ServerCertificateName, IssuedCertificate>>;
}

export type ClientName =
  | 'ec'
  | 'rsa'
  | 'ed448'
  | 'stranger'
  | 'expired'
  | 'notYetValid'
  | 'serverUsage'
  | 'withoutIntermediate'
  | 'revoked'
  | 'deep'
  | 'p521'
  | 'criticalExtension'
  | 'constrained'
  | 'keyUsage';

type ServerCertificateName =
  | 'sound'
  | 'rsa'
  | 'expired'
  | 'unknownRoot'
  | 'anotherName'
  | 'withoutIntermediate'
  | 'mustStaple'
  | 'commonNameOnly';

const day = 86_400_000;
const past = { notBefore: new Date(Date.now() - 20 * day), notAfter: new Date(Date.now() - 10 * day) };
const future = { notBefore: new Date(Date.now() + 10 * day), notAfter: new Date(Date.now() + 20 * day) };

let made: MatrixCertificates | undefined;

/** Made once for each process. */
export function createMatrixCertificates(): MatrixCertificates {
  made ??= makeCertificates();
  return made;
}

function makeCertificates(): MatrixCertificates {
  const platformRoot = createAuthority({ commonName: 'Platform Root' });
  const issuer = platformRoot.intermediate({ commonName: 'Platform Issuer' });
  const client = (request: Partial<CertificateRequest> = {}) =>
    issuer.issue({ commonName: 'bot-platform', usage: 'client', ...request });
  const ed448 = generateKeyPairSync('ed448').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const stranger = createAuthority({ commonName: 'Stranger Root' });
  const clients: MatrixCertificates['clients'] = {
    ec: client(),
    rsa: client({ keyAlgorithm: 'RSA_2048' }),
    ed448: client({ privateKey: ed448 }),
    stranger: stranger
      .intermediate({ commonName: 'Stranger Issuer' })
      .issue({ commonName: 'bot-platform', usage: 'client' }),
    expired: client(past),
    notYetValid: client(future),
    serverUsage: client({ usage: 'server' }),
    withoutIntermediate: { ...client(), intermediates: '' },
    revoked: client(),
    deep: issuer
      .intermediate({ commonName: 'Platform Issuer 2' })
      .issue({ commonName: 'bot-platform', usage: 'client' }),
    p521: client({ privateKey: newEcKey('P-521') }),
    criticalExtension: certify(issuer, `${clientExtensions}\n1.2.3.4=critical,ASN1:NULL`),
    constrained: certify(constrainedBelow(platformRoot), `${clientExtensions}\nsubjectAltName=DNS:bot.other.example`),
    keyUsage: certify(issuer, clientExtensions.replace('digitalSignature', 'keyEncipherment')),
  };

  const customerRoot = createAuthority({ commonName: 'Customer Root' });
  const customerIssuer = customerRoot.intermediate({ commonName: 'Customer Issuer' });
  const server = (request: Partial<CertificateRequest> = {}, from: Authority = customerIssuer) =>
    from.issue({ commonName: 'api', names: ['localhost'], usage: 'server', ...request });
  // Told to take RSA signatures alone, Java wants them in the server's own chain too.
  const rsa = { keyAlgorithm: 'RSA_2048' } as const;
  const customerRsaRoot = createAuthority({ commonName: 'Customer RSA Root', ...rsa });
  const customerRsaIssuer = customerRsaRoot.intermediate({ commonName: 'Customer RSA Issuer', ...rsa });
  const unknownIssuer = createAuthority({ commonName: 'Unknown Root' }).intermediate({ commonName: 'Unknown Issuer' });
  const servers: MatrixCertificates['servers'] = {
    sound: server(),
    rsa: server(rsa, customerRsaIssuer),
    expired: server(past),
    unknownRoot: server({}, unknownIssuer),
    anotherName: server({ names: ['another.example'] }),
    withoutIntermediate: { ...server(), intermediates: '' },
    mustStaple: certify(customerIssuer, `${serverExtensions}\nsubjectAltName=DNS:localhost\ntlsfeature=status_request`),
    commonNameOnly: server({ commonName: 'localhost', names: [] }),
  };
  return {
    platformRoot: platformRoot.certificate,
    customerRoots: customerRoot.certificate + customerRsaRoot.certificate,
    namesakeRoot: createAuthority({ commonName: 'Platform Root' }).certificate,
    revocationLists: listOf(issuer, [clients.revoked]) + listOf(platformRoot, []),
    expiredLists: listOf(issuer, [], true) + listOf(platformRoot, [], true),
    rootListOnly: listOf(platformRoot, []),
    clients,
    servers,
  };
}

/**
 * The identity as if it had been found usable. Countersign's own check refuses most defects before a packet is sent
 * (see the first table of docs/servers.md); what a server says to such a certificate is measured by passing the check
 * by.
 */
export function identityOf(
  name: string,
  issued: IssuedCertificate,
  destination: Identity['destinations'][number],
): Identity {
  const leaf = new X509Certificate(issued.certificate);
  return {
    name,
    version: 'v1',
    stage: 'AWSCURRENT',
    privateKey: issued.privateKey,
    certificate: issued.certificate,
    intermediateCertificates: issued.intermediates,
    rootCertificate: issued.root,
    destinations: [destination],
    fingerprint256: leaf.fingerprint256,
    validTo: leaf.validToDate.toISOString(),
    // Far off, also for a certificate outside its dates.
    usableUntil: Date.now() + 365 * day,
  };
}

const clientExtensions =
  'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth';
const serverExtensions = clientExtensions.replace('clientAuth', 'serverAuth');

function newEcKey(namedCurve: string): string {
  return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** An authority that may issue for `bots.example` alone. */
function constrainedBelow(root: Authority): Authority {
  const extensions = `basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign
nameConstraints=critical,permitted;DNS:bots.example`;
  const { certificate, privateKey } = certify(root, extensions, 'Constrained Issuer');
  return openAuthority(certificate, privateKey, certificate, root.certificate);
}

/** By `openssl x509`, for extensions that the authority of the local cloud has no request for. */
function certify(issuer: Authority, extensions: string, commonName = 'bot-platform'): IssuedCertificate {
  return inFolder((folder, openssl) => {
    const privateKey = newEcKey('P-256');
    folder.write('key.pem', privateKey);
    folder.write('ca.pem', issuer.certificate);
    folder.write('ca.key', issuer.privateKey);
    folder.write('ext', `${extensions}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid`);
    openssl('req', '-new', '-key', 'key.pem', '-subj', `/CN=${commonName}`, '-out', 'csr');
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '300', '-extfile', 'ext'];
    const certificate = openssl('x509', '-req', '-in', 'csr', ...signing);
    return { certificate, privateKey, intermediates: issuer.intermediates, root: issuer.root };
  });
}

function listOf(authority: Authority, revoked: readonly IssuedCertificate[], isExpired = false): string {
  return inFolder((folder) => revocationList(authority, revoked, folder, isExpired));
}

/** PEM, by `openssl ca`. */
export function revocationList(
  authority: Authority,
  revoked: readonly IssuedCertificate[],
  folder: WorkFolder,
  isExpired = false,
): string {
  // Type, expiry, revocation, serial number, file, subject: the database of `openssl ca`.
  const lines = revoked.map(({ certificate }) => {
    const { serialNumber } = new X509Certificate(certificate);
    return `R\t491231235959Z\t250101000000Z\t${serialNumber}\tunknown\t/CN=revoked\n`;
  });
  folder.write('index.txt', lines.join(''));
  folder.write('authority.pem', authority.certificate);
  folder.write('key.pem', authority.privateKey);
  const settings = ['database=index.txt', 'default_md=sha256', 'default_crl_days=30', 'crlnumber=number'];
  folder.write('number', '01\n');
  // GnuTLS and Java match a list to its authority by the key identifier of a version 2 list.
  const extensions = '[extensions]\nauthorityKeyIdentifier=keyid:always\n';
  folder.write(
    'ca.cnf',
    `[ca]\ndefault_ca=own\n[own]\n${settings.join('\n')}\ncrl_extensions=extensions\n${extensions}`,
  );
  // Dated back, so that no clock finds it from the future.
  const args = [
    'ca',
    '-config',
    'ca.cnf',
    '-gencrl',
    '-crl_lastupdate',
    '20250101000000Z',
    ...(isExpired ? ['-crl_nextupdate', '20250201000000Z'] : []),
    '-cert',
    'authority.pem',
    '-keyfile',
    'key.pem',
  ];
  return execFileSync(programOf('openssl'), args, { cwd: folder.path, encoding: 'utf8', stdio: 'pipe' });
}

type WorkFolder = Pick<Folder, 'path' | 'write'>;

function inFolder<T>(work: (folder: WorkFolder, openssl: (...args: string[]) => string) => T): T {
  const path = mkdtempSync(join(tmpdir(), 'countersign-matrix-'));
  try {
    const write = (name: string, text: string) => {
      const file = join(path, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    };
    const openssl = (...args: string[]) =>
      execFileSync(programOf('openssl'), args, { cwd: path, encoding: 'utf8', stdio: 'pipe' });
    return work({ path, write }, openssl);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
