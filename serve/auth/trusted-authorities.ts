// The TLS side of the server: its certificate, and the authorities of its callers, from files that may change.
import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { ServeOptions } from '../options.ts';

export interface ServerTrust {
  readonly context: SecureContextOptions;
  /** Changes with the authorities of callers: whoever was let in by others has to show himself again. */
  readonly authorities: string;
}

export function trustPaths({ certificate, key, clientCa }: NonNullable<ServeOptions['tls']>): string[] {
  return clientCa === undefined ? [certificate, key] : [certificate, key, clientCa];
}

/** `texts` in the order of trustPaths. Throws an Error with one sentence, without a word of what the files hold. */
export function makeTrust([cert = '', key = '', ca]: readonly string[]): ServerTrust {
  requirePem(cert, /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/, '--tls-cert', 'certificate');
  requirePem(key, privateKeyPattern, '--tls-key', 'private key');
  if (ca !== undefined) requireAuthorities(ca);
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) };
  try {
    createSecureContext(context);
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new Error(
      `The files of ${ca === undefined ? '--tls-cert and --tls-key' : '--tls-cert, --tls-key and --client-ca'} cannot be used together (${code}).`,
    );
  }
  return {
    context,
    authorities: createHash('sha256')
      .update(ca ?? '')
      .digest('hex'),
  };
}

const privateKeyPattern = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/;

function requirePem(pem: string, pattern: RegExp, option: string, what: string): void {
  if (pattern.test(pem)) return;
  const isSwapped = what === 'certificate' && privateKeyPattern.test(pem);
  throw new Error(
    `The file of ${option} holds no ${what} (PEM)${isSwapped ? ', but a private key: that is for --tls-key' : ''}.`,
  );
}

/**
 * OpenSSL trusts what leads to a root, and Node has no way to say otherwise of a server whose files may change: by an
 * intermediate alone nobody is let in.
 */
function requireAuthorities(pem: string): void {
  const authorities = certificatesIn(pem);
  if (authorities.length === 0) throw new Error('--client-ca holds no certificate.');
  for (const one of authorities) {
    if (one.issuer === one.subject || authorities.some((other) => other !== one && one.checkIssued(other))) continue;
    throw new Error(
      '--client-ca holds an intermediate without the authority that issued it: add that one, up to the root.',
    );
  }
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error('--client-ca holds what is no certificate.');
    }
  });
}
