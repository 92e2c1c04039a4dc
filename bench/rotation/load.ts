// Calls without a pause while the identity is rotated again and again, RSA to EC and back; what came of each call and connection.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { readCertificate } from '../../core/x509/chain.ts';
import { createAuthority } from '../../local/authority/authority.ts';
import { startAuthority } from '../../local/authority/server.ts';
import { startSecretsManager } from '../../local/secrets-manager/server.ts';
import { wallClock } from './clock.ts';
import type { CustomerOptions, SeenConnection } from './customer.ts';
import type { MadeCall } from './platform.ts';
import type { AskedStep, DoneStep } from './rotate.ts';

export interface LoadOptions {
  /** At least; they go on until the last rotation has been taken up. */
  readonly calls: number;
  readonly callers: number;
  readonly rotations: number;
  /** Milliseconds that the customer's API takes for each answer. */
  readonly answerMs: number;
  /** Whole seconds. */
  readonly ttlSeconds: number;
  /** Milliseconds without a rotation after each one has been taken up. */
  readonly pauseMs: number;
  /** For the state of the Secrets Manager. */
  readonly folder: string;
}

export interface Rotated {
  readonly keyAlgorithm: string;
  /** Milliseconds since 1970: RotateSecret was called, AWSCURRENT was moved. */
  readonly begunAt: number;
  readonly switchedAt: number;
  readonly fingerprint256: string;
}

export interface Load {
  readonly calls: readonly MadeCall[];
  readonly rotations: readonly Rotated[];
  /** As they were while the calls still went on, the last rotation long taken up. */
  readonly connections: readonly SeenConnection[];
  /** Milliseconds since 1970: when they were. */
  readonly toldAt: number;
}

const prefix = 'countersign/identities/';
const SecretId = `${prefix}platform`;
const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:countersign-rotate';
const region = 'us-east-1';
const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };

/** Throws what went wrong around the calls; a failed call is an outcome. Ends every process that it began. */
export async function rotateUnderLoad(options: LoadOptions): Promise<Load> {
  const closing: (() => unknown)[] = [];
  try {
    return await run(options, closing);
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function run(options: LoadOptions, closing: (() => unknown)[]): Promise<Load> {
  const { calls, callers, rotations, answerMs, ttlSeconds, pauseMs, folder } = options;
  const platformRoot = createAuthority({ commonName: 'Platform Root' });
  const platformIssuer = platformRoot.intermediate({ commonName: 'Platform Issuer' });
  const customerRoot = createAuthority({ commonName: 'Customer Root' });
  const started = (name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) => {
    const child = fork(join(import.meta.dirname, name), args, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
      env: { PATH: process.env.PATH, ...env },
    });
    closing.push(() => ended(child));
    return child;
  };

  const customer = started('customer.ts');
  const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const terms = { ...server, clientRoots: platformRoot.certificate, answerMs } satisfies CustomerOptions;
  const port = await asked<number>(customer, terms);

  const authority = await startAuthority({ authority: platformIssuer, port: 0 });
  closing.push(() => authority.close());
  let keyAlgorithm = 'RSA_2048';
  let switched = Promise.withResolvers<number>();
  const rotationFunction = async (event: object) => {
    const { failure, switchedAt } = await asked<DoneStep>(rotate, { event, keyAlgorithm } satisfies AskedStep);
    if (failure !== undefined) throw new Error(failure);
    if (switchedAt !== undefined) switched.resolve(switchedAt);
  };
  const secrets = await startSecretsManager({ folder, port: 0, region, rotationFunctions: () => rotationFunction });
  closing.push(() => secrets.close());
  const client = new SecretsManagerClient({ endpoint: secrets.url, region, credentials });
  closing.push(() => client.destroy());
  const env = {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    COUNTERSIGN_IDENTITY_TTL_SECONDS: String(ttlSeconds),
  };
  const rotate = started('rotate.ts', [prefix, authority.url], env);
  await told(rotate);

  const first = platformIssuer.issue({ commonName: 'platform', usage: 'client' });
  const document = {
    privateKey: first.privateKey,
    certificate: first.certificate,
    intermediateCertificates: first.intermediates,
    rootCertificate: first.root,
    destinations: [{ host: 'localhost', port, network: 'loopback', serverRoots: customerRoot.certificate }],
  };
  await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: JSON.stringify(document) }));

  const platform = started('platform.ts', [`https://localhost:${port}/`, String(callers), String(calls)], env);
  await told(platform);
  const finished = told<MadeCall[]>(platform);
  finished.catch(() => {});

  const done: Rotated[] = [];
  for (let n = 0; n < rotations; n += 1) {
    keyAlgorithm = n % 2 ? 'EC_P256' : 'RSA_2048';
    await wait(pauseMs);
    const begunAt = wallClock();
    switched = Promise.withResolvers<number>();
    const fingerprint256 = await rotateOnce(client);
    done.push({ keyAlgorithm, begunAt, switchedAt: await switched.promise, fingerprint256 });
    await wait(ttlSeconds * 1_000 + settledMs);
  }
  await wait(pauseMs);
  // Before the platform ends, which would close what it forgot to close.
  const connections = await asked<SeenConnection[]>(customer, 'tell');
  const toldAt = wallClock();
  platform.send('end');
  return { calls: await finished, rotations: done, connections, toldAt };
}

/** After the switch and the time to live: for the read of the new version, and the handshakes that follow it. */
export const settledMs = 500;

/** Resolves with the fingerprint of the certificate that is current once the four steps are through. */
async function rotateOnce(client: SecretsManagerClient): Promise<string> {
  const { VersionId } = await client.send(
    new RotateSecretCommand({
      SecretId,
      RotationLambdaARN: functionArn,
      RotationRules: { AutomaticallyAfterDays: 30 },
    }),
  );
  for (const until = Date.now() + 30_000; Date.now() < until; await wait(10)) {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
    const stages = VersionIdsToStages[VersionId ?? ''] ?? [];
    if (!stages.includes('AWSCURRENT') || stages.includes('AWSPENDING')) continue;
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId, VersionId }));
    return readCertificate(JSON.parse(SecretString ?? '{}').certificate, 'certificate').certificate.fingerprint256;
  }
  throw new Error('A rotation did not come to its end.');
}

/** The next message; rejects when the process ends first. */
function told<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const tell = (message: unknown) => {
      child.off('exit', end);
      resolve(message as Message);
    };
    const end = (code: number | null) => {
      child.off('message', tell);
      reject(new Error(`${child.spawnargs.join(' ')} ended with code ${code}.`));
    };
    child.once('message', tell);
    child.once('exit', end);
  });
}

async function asked<Message>(child: ChildProcess, question: object | string): Promise<Message> {
  const answer = told<Message>(child);
  child.send(question);
  return answer;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
