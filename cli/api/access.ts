// How the command shows itself to an API: with a signature, a bearer token or a client certificate, or not at all.
import { open } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import { usageError } from '../exit-code.ts';
import type { SignableRequest } from './signature.ts';

export interface AccessOptions {
  /** Of the API, parsed. */
  readonly api: URL;
  /** Files. */
  readonly tokenFile?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly cacert?: string | undefined;
  /** Of the signature; where it is given, requests are signed whatever the API is called. */
  readonly region?: string | undefined;
}

export interface Access {
  /** The headers of the request with what shows who asks. */
  headers(request: SignableRequest): Promise<Record<string, string>>;
  readonly tls: SecureContextOptions;
  /** For the hint of an API that lets nobody in. */
  readonly kind: 'nothing' | 'token' | 'certificate' | 'signature';
}

/** For an API on this machine that asks nobody who he is. */
export const openly: Access = { kind: 'nothing', tls: {}, headers: async ({ headers }) => ({ ...headers }) };

const maxFileBytes = 1024 * 1024;
/** As serve/auth/authentication.ts reads it. */
const tokenPattern = /^[A-Za-z0-9\-._~+/]{32,512}=*$/;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the files. Throws a usage error in one sentence, without a word of what they hold. `warn` is told what should be looked at. */
export async function openAccess(
  options: AccessOptions,
  environment: Environment,
  surroundings: { readonly now: () => number; readonly warn: (sentence: string) => void },
): Promise<Access> {
  const { api, tokenFile, cert, key, cacert, region } = options;
  if ((cert === undefined) !== (key === undefined)) throw usageError('--cert and --key go together.');
  if (api.protocol === 'http:' && (cert ?? cacert) !== undefined) {
    throw usageError('--cert, --key and --cacert need an API with https.');
  }
  if (tokenFile !== undefined && region !== undefined) throw usageError('Give --token-file or --region, not both.');
  const tls = await tlsOptions(options);
  const asIs = (kind: Access['kind'], more: Record<string, string> = {}): Access => ({
    kind,
    tls,
    headers: async ({ headers }) => ({ ...headers, ...more }),
  });
  if (tokenFile !== undefined)
    return asIs('token', { authorization: `Bearer ${await readToken(tokenFile, surroundings.warn)}` });

  const { awsCredentials, regionInName, signedHeaders } = await import('./signature.ts');
  const named = regionInName(api.hostname);
  if (region === undefined && named === undefined) {
    // An installation of one's own: it knows certificates and tokens, and on loopback wants neither.
    if (cert !== undefined) return asIs('certificate');
    if (isLoopbackHeader(api.host)) return asIs('nothing');
  }
  // Not what the environment says: whoever the API is of would get a signature that nobody meant for him.
  const signedFor = region ?? named;
  if (signedFor === undefined) {
    throw usageError(
      `${api.host} does not say which AWS region it is in: name it with --region, or give --token-file, or --cert and --key.`,
    );
  }
  const credentials = await awsCredentials(environment);
  return {
    kind: 'signature',
    tls,
    headers: (request) => signedHeaders(request, { region: signedFor, credentials, now: surroundings.now() }),
  };
}

async function tlsOptions({ cert, key, cacert }: AccessOptions): Promise<SecureContextOptions> {
  const [certText, keyText, caText] = await Promise.all([
    cert === undefined ? undefined : read('--cert', cert),
    key === undefined ? undefined : read('--key', key),
    cacert === undefined ? undefined : read('--cacert', cacert),
  ]);
  // OpenSSL would ask for the passphrase on the terminal.
  if (keyText !== undefined && /ENCRYPTED/.test(keyText.text)) {
    throw usageError('The key of --key needs a passphrase: give one that is not encrypted, in a file of your own.');
  }
  if (caText !== undefined && !caText.text.includes('-----BEGIN CERTIFICATE-----')) {
    throw usageError('The file of --cacert holds no certificate (PEM).');
  }
  const options: SecureContextOptions = {
    minVersion: 'TLSv1.2',
    ...(certText && { cert: certText.text }),
    ...(keyText && { key: keyText.text }),
    ...(caText && { ca: caText.text }),
  };
  try {
    createSecureContext(options);
  } catch (thrown) {
    const { code = 'unknown' } = thrown as NodeJS.ErrnoException;
    throw usageError(`The files of --cert, --key and --cacert cannot be used together (${code}).`);
  }
  return options;
}

async function readToken(path: string, warn: (sentence: string) => void): Promise<string> {
  const { text, isForAll } = await read('--token-file', path);
  const token = text.trim();
  if (!tokenPattern.test(token)) {
    throw usageError(
      'The file of --token-file must hold one token of 32 to 512 characters and nothing else (RFC 6750).',
    );
  }
  if (isForAll) warn('Every user of the machine can read the file of --token-file: give it mode 0600.');
  return token;
}

async function read(option: string, path: string): Promise<{ readonly text: string; readonly isForAll: boolean }> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw usageError(`The file of ${option} cannot be read (${error.code ?? error.name}).`);
  });
  try {
    const { size, mode } = await file.stat();
    if (size > maxFileBytes) throw usageError(`The file of ${option} has ${size} bytes; ${maxFileBytes} is the most.`);
    const buffer = Buffer.alloc(maxFileBytes + 1);
    // A pipe, which `<(…)` of a shell is, tells no size.
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, bytes, buffer.length - bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      if (bytes > maxFileBytes) throw usageError(`The file of ${option} has more than ${maxFileBytes} bytes.`);
    }
    return { text: buffer.toString('utf8', 0, bytes), isForAll: (mode & 0o004) !== 0 && process.platform !== 'win32' };
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EISDIR') throw usageError(`The file of ${option} cannot be read (EISDIR).`);
    throw thrown;
  } finally {
    await file.close();
  }
}
