// Lists the secrets of all identities, with what Secrets Manager knows of their versions and their rotation, and no
// value.
import {
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  type SecretListEntry,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '../aws/client.ts';
import { explain } from '../identity/secrets-manager.ts';
import { identityNamed, stagingLabels } from './versions.ts';

export interface IdentitySecret {
  /** Name of the identity. */
  readonly name: string;
  readonly arn: string;
  /** Staging stagingLabels on any of its versions. */
  readonly stages: ReadonlySet<string>;
  /** The version that AWSPENDING is on, unless it is the current one: then the rotation is over. */
  readonly pendingVersion: string | undefined;
  readonly rotationEnabled: boolean;
  /** Milliseconds since 1970: Secrets Manager rotates on or before it (AWS API reference, DescribeSecret). */
  readonly nextRotationAt: number | undefined;
}

export interface SecretList {
  /** Names under the prefix that no identity can have are left out. Throws the SDK's errors. */
  all(): Promise<readonly IdentitySecret[]>;
  /** Milliseconds since 1970; undefined when the version is gone. Throws `identity-unavailable`. */
  createdAt(secret: IdentitySecret, version: string): Promise<number | undefined>;
}

/** Region, credentials and endpoint are the SDK's own settings. */
export function secretList(prefix: string): SecretList {
  const client = new SecretsManagerClient(clientSettings(5, 5_000));
  return {
    async all() {
      const found: IdentitySecret[] = [];
      let NextToken: string | undefined;
      do {
        const page = await client.send(
          new ListSecretsCommand({
            Filters: [{ Key: 'name', Values: [prefix] }],
            MaxResults: 100,
            ...(NextToken === undefined ? {} : { NextToken }),
          }),
        );
        found.push(...(page.SecretList ?? []).flatMap((entry) => identitySecret(entry, prefix) ?? []));
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      return found;
    },
    async createdAt({ arn, name }, version) {
      try {
        let NextToken: string | undefined;
        do {
          const page = await client.send(
            new ListSecretVersionIdsCommand({ SecretId: arn, ...(NextToken === undefined ? {} : { NextToken }) }),
          );
          const listed = page.Versions?.find(({ VersionId }) => VersionId === version);
          if (listed) return listed.CreatedDate?.getTime();
          NextToken = page.NextToken;
        } while (NextToken !== undefined);
        return undefined;
      } catch (thrown) {
        const permissions = 'secretsmanager:ListSecretVersionIds on the secret, and kms:Decrypt';
        const error = explain(thrown, name, { permissions, version });
        if (error.code === 'identity-not-found') return undefined;
        throw error;
      }
    },
  };
}

function identitySecret(entry: SecretListEntry, prefix: string): IdentitySecret | undefined {
  const name = identityNamed(prefix, entry.Name ?? '');
  if (name === undefined || entry.ARN === undefined) return undefined;
  const versions = Object.entries(entry.SecretVersionsToStages ?? {});
  const pending = versions.find(
    ([, stages]) => stages.includes(stagingLabels.pending) && !stages.includes(stagingLabels.current),
  );
  return {
    name,
    arn: entry.ARN,
    stages: new Set(versions.flatMap(([, stages]) => stages)),
    pendingVersion: pending?.[0],
    rotationEnabled: entry.RotationEnabled === true,
    nextRotationAt: entry.NextRotationDate?.getTime(),
  };
}
