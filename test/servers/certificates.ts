// The certificates of the matrix: what the platform presents and what the servers show, sound or with one defect each.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { Identity } from '../../core/identity/identity.ts';
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  type IssuedCertificate,
} from '../../local/authority/authority.ts';
import { programOf } from './listener.ts';
import type { Folder, Resources } from './resources.ts';

export interface MatrixCertificates {
  /** PEM: the root that customers trust. */
  readonly platformRoot: string;
  readonly customerRoots: string;
  /** PEM: one list for each of the platform's authorities; `clients.revoked` is on the issuer's. */
  readonly revocationLists: string;
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
  | 'revoked';

type ServerCertificateName = 'sound' | 'rsa' | 'expired' | 'unknownRoot' | 'anotherName' | 'withoutIntermediate';

const day = 86_400_000;
const past = { notBefore: new Date(Date.now() - 20 * day), notAfter: new Date(Date.now() - 10 * day) };
const future = { notBefore: new Date(Date.now() + 10 * day), notAfter: new Date(Date.now() + 20 * day) };

/** Made anew for each run. */
export function createMatrixCertificates(resources: Resources): MatrixCertificates {
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
  };
  let revocationLists: string | undefined;
  return {
    platformRoot: platformRoot.certificate,
    customerRoots: customerRoot.certificate + customerRsaRoot.certificate,
    get revocationLists() {
      revocationLists ??=
        revocationList(issuer, [clients.revoked], resources.folder()) +
        revocationList(platformRoot, [], resources.folder());
      return revocationLists;
    },
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

/** PEM, by `openssl ca`. */
export function revocationList(
  authority: Authority,
  revoked: readonly IssuedCertificate[],
  folder: Pick<Folder, 'path' | 'write'>,
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
    '-cert',
    'authority.pem',
    '-keyfile',
    'key.pem',
  ];
  return execFileSync(programOf('openssl'), args, { cwd: folder.path, encoding: 'utf8', stdio: 'pipe' });
}
