// AWS Signature Version 4 for a request to API Gateway: the region it is for, the credentials, and the headers.
import { createHash, createHmac } from 'node:crypto';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { usageError } from '../exit-code.ts';

/** The service that signatures to HTTP APIs are made for (AWS: API Gateway, "Controlling access with IAM authorization"). */
const service = 'execute-api';
/** The metadata service of a machine that has none is waited for. */
const credentialsPatienceMs = 15_000;

type Environment = Readonly<Record<string, string | undefined>>;
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

/** Throws a usage error in one sentence that names what is missing, and nothing of what is there. */
export async function awsCredentials(environment: Environment): Promise<AwsCredentials> {
  const [id, secret] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  for (const [there, missing] of [
    [id, secret],
    [secret, id],
  ] as const) {
    if (environment[there] && !environment[missing]) {
      throw usageError(`${there} is set and ${missing} is not: a request cannot be signed with one of them.`);
    }
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timeout')), credentialsPatienceMs);
  });
  try {
    return await Promise.race([defaultProvider()(), late]);
  } catch {
    // The providers' own words name files, profiles and what came back from a login.
    const profile = environment.AWS_PROFILE;
    throw usageError(
      profile
        ? 'The profile of AWS_PROFILE has no AWS credentials to sign the request with: log in again, or correct the profile.'
        : `There are no AWS credentials to sign the request with: set ${id} and ${secret}, or AWS_PROFILE.`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The headers of the request with its signature. `now` in milliseconds since 1970. Source: AWS, IAM User Guide, "Create a signed AWS API request". */
export async function signedHeaders(
  { method, url, headers, body }: SignableRequest,
  { region, credentials, now }: { readonly region: string; readonly credentials: AwsCredentials; readonly now: number },
): Promise<Record<string, string>> {
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

/** The checksum interface of SignatureV4: SHA-256, or HMAC-SHA-256 if it is given a key. */
class Sha256 {
  readonly #key: HashInput | undefined;
  #hash: { update(data: string | Uint8Array): unknown; digest(): Buffer };

  constructor(key?: HashInput) {
    this.#key = key;
    this.#hash = this.#start();
  }

  #start() {
    return this.#key === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(this.#key));
  }

  update(data: HashInput): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#start();
  }
}

type HashInput = string | ArrayBuffer | ArrayBufferView;

function bytesOf(data: HashInput): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
