// `openssl s_server` as the customer's API: an independent TLS stack.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import type { Authority, IssuedCertificate } from '../../local/authority/authority.ts';
import { findPeer } from './peers.ts';
import { type Program, privateFolder, startProgram } from './program.ts';

export interface OpensslOptions {
  /**
   * PEM: the authorities whose client certificates it accepts. It demands one when they are there, and asks for none
   * otherwise.
   */
  readonly clientRoots?: string;
  /** PEM: revocation lists; each certificate of the client's chain is looked up. */
  readonly revoked?: string;
  /** Without its page it prints what comes, and answers nothing. */
  readonly page?: boolean;
  /** Further arguments of s_server. */
  readonly args?: readonly string[];
}

export interface OpensslServer {
  readonly port: number;
  readonly program: Program;
}

/**
 * Answers a GET with a page about the connection. Without `-verify_return_error` s_server accepts any client
 * certificate, so it is always there.
 */
export async function startOpenssl(server: IssuedCertificate, options: OpensslOptions = {}): Promise<OpensslServer> {
  const folder = privateFolder();
  const args = ['s_server', '-accept', '127.0.0.1:0', '-verify_return_error'];
  if (options.page !== false) args.push('-www');
  args.push(
    '-cert',
    folder.write('server.pem', server.certificate),
    '-key',
    folder.write('key.pem', server.privateKey),
  );
  if (server.intermediates) args.push('-cert_chain', folder.write('chain.pem', server.intermediates));
  if (options.clientRoots) args.push('-Verify', '5', '-CAfile', folder.write('roots.pem', options.clientRoots));
  if (options.revoked) args.push('-CRL', folder.write('revoked.pem', options.revoked), '-crl_check');
  const program = startProgram(findPeer('openssl') ?? 'openssl', [...args, ...(options.args ?? [])], folder.path);
  return { port: await portOf(program), program };
}

/** PEM: the authority's list of the certificates it revoked. */
export function revocationList(authority: Authority, revoked: readonly IssuedCertificate[]): string {
  const folder = privateFolder();
  // Type, expiry, revocation, serial number, file, subject: the database of `openssl ca`.
  const lines = revoked.map(({ certificate }) => {
    const { serialNumber } = new X509Certificate(certificate);
    return `R\t491231235959Z\t250101000000Z\t${serialNumber}\tunknown\t/CN=revoked\n`;
  });
  folder.write('index.txt', lines.join(''));
  folder.write('authority.pem', authority.certificate);
  folder.write('key.pem', authority.privateKey);
  folder.write('ca.cnf', '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n');
  const args = ['ca', '-config', 'ca.cnf', '-gencrl', '-cert', 'authority.pem', '-keyfile', 'key.pem'];
  return execFileSync(findPeer('openssl') ?? 'openssl', args, { cwd: folder.path, encoding: 'utf8', stdio: 'pipe' });
}

/** It says on which port it listens once it does. */
function portOf(program: Program): Promise<number> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const port = /^ACCEPT .*:(\d+)$/m.exec(program.output())?.[1];
      if (port) resolve(Number(port));
    };
    program.child.stdout?.on('data', look);
    program.child.once('close', () => reject(new Error(`s_server ended: ${program.output()}`)));
  });
}
