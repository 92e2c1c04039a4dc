// How the command authenticates to an API: AWS signature, bearer token, client certificate, or nothing.
import { createHash, createHmac, type Hash } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { defaultProvider } from '@aws-sdk/credential-provider-node';
import { readUpTo } from '../../core/files.ts';
import { canonicalPem } from '../../core/x509/pem.ts';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import { usageError } from '../exit-code.ts';

export interface AccessOptions {
  readonly api: URL;
  /** Paths of files. */
  readonly tokenFile?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly cacert?: string | undefined;
  /** The AWS region of the signature. If it is given, requests are signed whatever the name of the API is. */
  readonly region?: string | undefined;
}

export interface Access {
  /** The headers of the request, with the credentials added. */
  headers(request: SignableRequest): Promise<Record<string, string>>;
  readonly tls: SecureContextOptions;
  readonly kind: 'nothing' | 'token' | 'certificate' | 'signature';
}

/** For an API on loopback that authenticates no caller. */
export const openly: Access = { kind: 'nothing', tls: {}, headers: async ({ headers }) => ({ ...headers }) };

const maxFileBytes = 1024 * 1024;
/** The same as in serve/auth/authentication.ts. */
const tokenPattern = /^[A-Za-z0-9\-._~+/]{32,512}=*$/;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the files. Throws a usage error that quotes nothing of their content. `warn` is called for a token that others
 * can read.
 */
export async function openAccess(
  options: AccessOptions,
  environment: Environment,
  surroundings: { readonly now: () => number; readonly warn: (sentence: string) => void },
): Promise<Access> {
  const { api, tokenFile, cert, key, cacert, region } = options;
  if ((cert === undefined) !== (key === undefined)) throw usageError('Give --cert and --key together.');
  if (api.protocol === 'http:' && (cert ?? cacert) !== undefined) {
    throw usageError('--cert, --key and --cacert need an API with https.');
  }
  if (tokenFile !== undefined && region !== undefined) throw usageError('Give --token-file or --region, not both.');
  const tls = await tlsOptions(options);
  const unsigned = (kind: Access['kind'], more: Record<string, string> = {}): Access => ({
    kind,
    tls,
    headers: async ({ headers }) => ({ ...headers, ...more }),
  });
  if (tokenFile !== undefined)
    return unsigned('token', { authorization: `Bearer ${await readToken(tokenFile, surroundings.warn)}` });

  const named = regionInName(api.hostname);
  if (region === undefined && named === undefined) {
    // `countersign serve` authenticates with certificates and tokens, and needs neither on loopback.
    if (cert !== undefined) return unsigned('certificate');
    if (isLoopbackHeader(api.host)) return unsigned('nothing');
  }
  // AWS_REGION does not count: the owner of any other API would receive a signature that was not meant for him.
  const signedFor = region ?? named;
  if (signedFor === undefined) {
    throw usageError(
      `The name ${api.host} does not contain an AWS region. Give --region, --token-file, or --cert and --key.`,
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
    cert === undefined ? undefined : readPemFile('--cert', cert),
    key === undefined ? undefined : readPemFile('--key', key),
    cacert === undefined ? undefined : readPemFile('--cacert', cacert),
  ]);
  // OpenSSL would ask for the passphrase on the terminal.
  if (keyText !== undefined && /ENCRYPTED/.test(keyText)) {
    throw usageError(
      'The key of --key is encrypted. Give a key without a passphrase, in a file that only you can read.',
    );
  }
  if (caText !== undefined && !caText.includes('-----BEGIN CERTIFICATE-----')) {
    throw usageError('The file of --cacert contains no PEM certificate.');
  }
  const options: SecureContextOptions = {
    minVersion: 'TLSv1.2',
    ...(certText && { cert: certText }),
    ...(keyText && { key: keyText }),
    ...(caText && { ca: caText }),
  };
  try {
    createSecureContext(options);
  } catch (thrown) {
    const { code = 'unknown' } = thrown as NodeJS.ErrnoException;
    throw usageError(`The files of --cert, --key and --cacert cannot be used together (${code}).`);
  }
  return options;
}

async function readPemFile(option: string, path: string): Promise<string> {
  return canonicalPem((await read(option, path)).bytes);
}

async function readToken(path: string, warn: (sentence: string) => void): Promise<string> {
  const { bytes, isReadableByAll } = await read('--token-file', path);
  const token = bytes.toString('utf8').trim();
  if (!tokenPattern.test(token)) {
    throw usageError(
      'The file of --token-file must hold one token of 32 to 512 characters and nothing else (RFC 6750).',
    );
  }
  if (isReadableByAll) warn('Every user of the machine can read the file of --token-file. Give it mode 0600.');
  return token;
}

async function read(option: string, path: string): Promise<{ bytes: Buffer; isReadableByAll: boolean }> {
  const { bytes, mode } = await readUpTo(path, maxFileBytes + 1).catch((error: NodeJS.ErrnoException) => {
    throw usageError(`The file of ${option} cannot be read (${error.code ?? error.name}).`);
  });
  if (bytes.length > maxFileBytes) throw usageError(`The file of ${option} has more than ${maxFileBytes} bytes.`);
  return { bytes, isReadableByAll: (mode & 0o004) !== 0 && process.platform !== 'win32' };
}

/** The service name in signatures to HTTP APIs (AWS: API Gateway, "Controlling access with IAM authorization"). */
const service = 'execute-api';
/** On a machine without a metadata service the provider waits for that service. */
const credentialsTimeoutMs = 15_000;

export type AwsCredentials = Awaited<ReturnType<ReturnType<typeof defaultProvider>>>;

export interface SignableRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** `abc.execute-api.eu-central-1.amazonaws.com`, its dual-stack and VPC endpoints; undefined for any other name. */
export function regionInName(hostname: string): string | undefined {
  return /(?:^|\.)execute-api\.([a-z]{2}(?:-[a-z]+)+-\d+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(
    hostname,
  )?.[1];
}

/** Throws a usage error that names what is missing and quotes no value. */
async function awsCredentials(environment: Environment): Promise<AwsCredentials> {
  const [id, secret] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  for (const [there, missing] of [
    [id, secret],
    [secret, id],
  ] as const) {
    if (environment[there] && !environment[missing]) {
      throw usageError(`${there} is set and ${missing} is not. A signature needs both.`);
    }
  }
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timeout')), credentialsTimeoutMs);
  });
  try {
    return await Promise.race([defaultProvider()(), late]);
  } catch {
    // The errors of the providers quote files, profiles and login responses.
    throw usageError(
      environment.AWS_PROFILE
        ? 'The profile of AWS_PROFILE has no AWS credentials to sign the request with. Log in again, or correct the profile.'
        : `There are no AWS credentials to sign the request with. Set ${id} and ${secret}, or AWS_PROFILE.`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** SHA-256, or HMAC with a secret, in the shape that SignatureV4 takes. */
class Sha256 {
  readonly #secret: Parameters<typeof createHmac>[1] | undefined;
  #hash!: Hash | ReturnType<typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined || typeof secret === 'string' ? secret : bytesOf(secret);
    this.reset();
  }
  reset(): void {
    this.#hash = this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === 'string' ? data : bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/**
 * The headers of the request, signed with AWS Signature Version 4. `now` in milliseconds since 1970.
 * Source: AWS, IAM User Guide, "Create a signed AWS API request".
 */
export async function signedHeaders(
  { method, url, headers, body }: SignableRequest,
  { region, credentials, now }: { readonly region: string; readonly credentials: AwsCredentials; readonly now: number },
): Promise<Record<string, string>> {
  const { SignatureV4 } = await import('@smithy/signature-v4');
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
  const signed = await signer.sign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, host: url.host },
      ...(body === undefined ? {} : { body }),
    } as Parameters<typeof signer.sign>[0] & { method: string },
    { signingDate: new Date(now) },
  );
  return signed.headers;
}
