// `openssl s_server` as the customer's API: an independent TLS stack.
import type { Authority, IssuedCertificate } from '../../local/authority/authority.ts';
import { revocationList as revocationListIn } from '../servers/certificates.ts';
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
  return revocationListIn(authority, revoked, privateFolder());
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
