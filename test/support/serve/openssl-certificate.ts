// Creates a certificate with OpenSSL, and returns its subject as OpenSSL prints it.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { findPeer } from '../peers.ts';
import { privateFolder } from '../program.ts';

/** @param name in OpenSSL's syntax, `/O=Acme/CN=bot`, in UTF-8 */
export function opensslCertificate(name: string): { certificate: X509Certificate; subject: string } {
  const folder = privateFolder().path;
  const openssl = (...args: string[]) =>
    execFileSync(findPeer('openssl') ?? 'openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem');
  openssl('req', '-new', '-x509', '-utf8', '-key', 'key.pem', '-days', '1', '-subj', name, '-out', 'cert.pem');
  const printed = openssl('x509', '-in', 'cert.pem', '-noout', '-subject', '-nameopt', 'RFC2253').toString();
  const certificate = new X509Certificate(openssl('x509', '-in', 'cert.pem'));
  return { certificate, subject: printed.replace(/^subject=/, '').replace(/\n$/, '') };
}
