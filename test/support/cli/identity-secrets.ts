// The local Secrets Manager for the tests of `countersign identity`, the real SDK on both sides of it.
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { onTestFinished } from 'vitest';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { clientOf } from '../local-secrets-manager/local-server.ts';
import { privateFolder } from '../program.ts';
import { type Ground, ground } from './identity-ground.ts';

export const prefix = 'countersign/identities/';

export interface SecretsGround extends Ground {
  readonly url: string;
  readonly client: SecretsManagerClient;
  /** The arguments that lead there. */
  readonly there: readonly string[];
  /** By staging label; Secrets Manager's own and ours. */
  labels(name: string): Promise<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts on the members it is about
  document(name: string, stage?: string): Promise<any>;
}

/** As `ground`, on a Secrets Manager; gone with the test. */
export async function secretsGround(url?: string): Promise<SecretsGround> {
  return groundAt(url ?? (await startOwn()));
}

async function startOwn(): Promise<string> {
  const server = await startSecretsManager({ folder: privateFolder().path, port: 0 });
  onTestFinished(() => server.close());
  return server.url;
}

function groundAt(url: string): SecretsGround {
  const client = clientOf(url);
  const there = ['--source', 'local', '--endpoint', url];
  const on = ground();
  return {
    ...on,
    url,
    client,
    there,
    identity: (args, given) => on.identity([...args, ...there], given),
    json: (args, given) => on.json([...args, ...there], given),
    async labels(name) {
      const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: prefix + name }));
      return Object.fromEntries(
        Object.entries(VersionIdsToStages).flatMap(([version, stages]) => stages.map((stage) => [stage, version])),
      );
    },
    async document(name, stage = 'AWSCURRENT') {
      const asked = new GetSecretValueCommand({ SecretId: prefix + name, VersionStage: stage });
      return JSON.parse((await client.send(asked)).SecretString ?? 'null');
    },
  };
}
