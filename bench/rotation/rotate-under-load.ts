// Rotates the identity several times, RSA to EC and back, while callers call without a pause, and records every call
// and connection.
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
import { wallClock } from '../../local/load-generator.ts';
import { startSecretsManager } from '../../local/secrets-manager/server.ts';
import type { CustomerConnection, CustomerOptions, PlatformCall, StepMessage, StepResult } from './processes.ts';

/**
 * Milliseconds after the switch and the time to live: for the read of the new version and the handshakes that follow.
 */
export const settledMs = 500;

export interface RotationLoadOptions {
  /** The minimum: calls continue until the last rotation has taken effect. */
  readonly calls: number;
  readonly callers: number;
  readonly rotations: number;
  /** Milliseconds before each response of the customer's API. */
  readonly answerMs: number;
  /** Time to live of the identity cache; whole seconds. */
  readonly ttlSeconds: number;
  /** Milliseconds without a rotation after each one has taken effect. */
  readonly pauseMs: number;
  /** For the state of the local Secrets Manager. */
  readonly folder: string;
}

export interface RotationRun {
  readonly keyAlgorithm: string;
  /** Milliseconds since 1970: RotateSecret was called, AWSCURRENT was moved. */
  readonly begunAt: number;
  readonly switchedAt: number;
  readonly fingerprint256: string;
}

export interface RotationLoad {
  readonly calls: readonly PlatformCall[];
  readonly rotations: readonly RotationRun[];
  /** Recorded during the calls, after the last rotation has taken effect. */
  readonly connections: readonly CustomerConnection[];
  /** Milliseconds since 1970: when `connections` was recorded. */
  readonly recordedAt: number;
}

const prefix = 'countersign/identities/';
const SecretId = `${prefix}platform`;
const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:countersign-rotate';
const region = 'us-east-1';
const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };

/** A failed call is part of the result. Throws for every other failure. Ends every process that it starts. */
export async function rotateUnderLoad(options: RotationLoadOptions): Promise<RotationLoad> {
  const closing: (() => unknown)[] = [];
  try {
    return await run(options, closing);
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function run(options: RotationLoadOptions, closing: (() => unknown)[]): Promise<RotationLoad> {
  const { calls, callers, rotations, answerMs, ttlSeconds, pauseMs, folder } = options;
  const platformRoot = createAuthority({ commonName: 'Platform Root' });
  const platformIssuer = platformRoot.intermediate({ commonName: 'Platform Issuer' });
  const customerRoot = createAuthority({ commonName: 'Customer Root' });
  const start = (mode: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) => {
    const child = fork(join(import.meta.dirname, 'processes.ts'), [mode, ...args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
      env: { PATH: process.env.PATH, ...env },
    });
    closing.push(() => kill(child));
    return child;
  };

  const customer = start('customer');
  const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const customerOptions = { ...server, clientRoots: platformRoot.certificate, answerMs } satisfies CustomerOptions;
  const port = await request<number>(customer, customerOptions);

  const authority = await startAuthority({ authority: platformIssuer, port: 0 });
  closing.push(() => authority.close());
  let keyAlgorithm = 'RSA_2048';
  let switched = Promise.withResolvers<number>();
  const rotationFunction = async (event: object) => {
    const { failure, switchedAt } = await request<StepResult>(rotation, { event, keyAlgorithm } satisfies StepMessage);
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
  const rotation = start('rotation', [prefix, authority.url], env);
  await nextMessage(rotation);

  const first = platformIssuer.issue({ commonName: 'platform', usage: 'client' });
  const document = {
    privateKey: first.privateKey,
    certificate: first.certificate,
    intermediateCertificates: first.intermediates,
    rootCertificate: first.root,
    destinations: [{ host: 'localhost', port, network: 'loopback', serverRoots: customerRoot.certificate }],
  };
  await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: JSON.stringify(document) }));

  const platform = start('platform', [`https://localhost:${port}/`, String(callers), String(calls)], env);
  await nextMessage(platform);
  const finished = nextMessage<PlatformCall[]>(platform);
  finished.catch(() => {});

  const done: RotationRun[] = [];
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
  // Before the platform ends, which closes all connections.
  const connections = await request<CustomerConnection[]>(customer, 'report');
  const recordedAt = wallClock();
  platform.send('end');
  return { calls: await finished, rotations: done, connections, recordedAt };
}

/** Resolves after the four steps, with the fingerprint of the certificate that is then current. */
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
  throw new Error('A rotation did not end within 30 s.');
}

/** Rejects if the process ends first. */
function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const receive = (message: unknown) => {
      child.off('exit', end);
      resolve(message as Message);
    };
    const end = (code: number | null) => {
      child.off('message', receive);
      reject(new Error(`${child.spawnargs.join(' ')} ended with code ${code}.`));
    };
    child.once('message', receive);
    child.once('exit', end);
  });
}

async function request<Message>(child: ChildProcess, message: object | string): Promise<Message> {
  const response = nextMessage<Message>(child);
  child.send(message);
  return response;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
