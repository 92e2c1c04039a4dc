// Identities in Secrets Manager, the local cloud's or AWS's: each change is a new version that takes AWSCURRENT from the one it was made from.
import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  ResourceExistsException,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '../../core/aws/client.ts';
import { CountersignError } from '../../core/errors.ts';
import { explain } from '../../core/identity/secrets-manager.ts';
import { requestVersionOf } from '../../core/versions/secret-ids.ts';
import { secretList } from '../../core/versions/secret-list.ts';
import { openVersions, type SecretState, stagingLabels, versionWithLabel } from '../../core/versions/versions.ts';
import { type ChosenSecretsManager, placeOf } from './chosen-store.ts';
import { type IdentityStore, type KeptRequest, keptRequestIn, type Rotations } from './identity-store.ts';
import { told } from './told.ts';

/** Ours: on the version that is to take AWSCURRENT, because a version without a label may be deleted by Secrets Manager. */
const changeLabel = 'COUNTERSIGN_CHANGE';

const attempts = 3;
const attemptTimeoutMs = 10_000;

/** Region, credentials and endpoint are taken from the environment: `useStore` first. */
export async function openSecretsManagerStore(
  chosen: ChosenSecretsManager,
  kmsKeyId: string | undefined,
): Promise<IdentityStore> {
  const client = new SecretsManagerClient(clientSettings(attempts, attemptTimeoutMs));
  const versions = openVersions({ prefix: chosen.prefix, attemptTimeoutMs });
  const region = await client.config.region().catch(() => undefined);
  const place = placeOf({ ...chosen, region: chosen.kind === 'aws' ? region : undefined });
  const secretOf = (name: string) => chosen.prefix + name;

  /** Every call goes through here, so that what goes wrong is told to the person at the command line. */
  async function ask<Result>(name: string, action: string, call: () => Promise<Result>): Promise<Result> {
    try {
      return await call();
    } catch (thrown) {
      const permissions = `secretsmanager:${action} on the secret`;
      throw told(thrown instanceof CountersignError ? thrown : explain(thrown, name, { permissions }), chosen, action);
    }
  }

  async function describe(name: string): Promise<SecretState | undefined> {
    try {
      return await ask(name, 'DescribeSecret', () => versions.describe(secretOf(name)));
    } catch (thrown) {
      if (thrown instanceof CountersignError && isMissing(thrown)) return undefined;
      throw thrown;
    }
  }

  const read = (name: string, which: { readonly stage: string } | { readonly version: string }) =>
    ask(name, 'GetSecretValue', async () => {
      try {
        return await versions.read(secretOf(name), which);
      } catch (thrown) {
        if (thrown instanceof CountersignError && isMissing(thrown)) return undefined;
        throw thrown;
      }
    });

  const put = (name: string, version: string, document: string, stages: readonly string[]) =>
    ask(name, 'PutSecretValue', () => versions.put(secretOf(name), { version, document, stages }));

  const move = (name: string, stage: string, from: string | undefined, to: string | undefined) =>
    ask(name, 'UpdateSecretVersionStage', () => versions.moveStage(secretOf(name), stage, { from, to }));

  async function create(name: string, document: string, version: string): Promise<'activated' | 'changed'> {
    return await ask(name, 'CreateSecret', async () => {
      try {
        await client.send(
          new CreateSecretCommand({
            Name: secretOf(name),
            ClientRequestToken: version,
            SecretString: document,
            Description: `Countersign: the identity ${name}`,
            ...(kmsKeyId === undefined ? {} : { KmsKeyId: kmsKeyId }),
          }),
        );
        return 'activated';
      } catch (thrown) {
        if (thrown instanceof ResourceExistsException) return 'changed';
        throw thrown;
      }
    });
  }

  /** Not every version that has a label has a value: RotateSecret makes one without. */
  async function hasValue(name: string, version: string): Promise<boolean> {
    return (await read(name, { version })) !== undefined;
  }

  async function request(name: string): Promise<KeptRequest | undefined> {
    const stored = await read(name, { stage: stagingLabels.request });
    return stored && keptRequestIn(stored.document, `the secret ${secretOf(name)}`);
  }

  const rotations: Rotations = {
    begin: (name, version) =>
      ask(name, 'RotateSecret', async () => {
        try {
          const command = new RotateSecretCommand({
            SecretId: secretOf(name),
            ClientRequestToken: version ?? randomUUID(),
          });
          const { VersionId } = await client.send(command);
          return { outcome: 'begun' as const, version: VersionId };
        } catch (thrown) {
          if (!isStillUnderWay(thrown)) throw thrown;
          const state = await versions.describe(secretOf(name));
          return { outcome: 'resumed' as const, version: versionWithLabel(state, stagingLabels.pending) };
        }
      }),
    fill: (name, version, document) => put(name, version, document, [stagingLabels.pending]),
  };

  return {
    place,
    keepsRenewal: true,
    rotations,
    async names() {
      const found = await ask('', 'ListSecrets', () => secretList(chosen.prefix).all());
      return found.map(({ name }) => name).sort();
    },
    async look(name) {
      const state = await describe(name);
      if (state === undefined) return undefined;
      const holder = versionWithLabel(state, stagingLabels.current);
      const pending = versionWithLabel(state, stagingLabels.pending);
      const isStoredRequest = holder !== undefined && holder === versionWithLabel(state, stagingLabels.request);
      return {
        place: state.arn,
        holder,
        hasCurrent: holder !== undefined && !isStoredRequest,
        hasPrevious: versionWithLabel(state, stagingLabels.previous) !== undefined,
        pending:
          pending === undefined || pending === holder
            ? undefined
            : { version: pending, hasValue: await hasValue(name, pending) },
        rotation: await rotationOf(name),
      };
    },
    read: (name, stage) => read(name, { stage }),
    async activate(name, document, { instead, version = randomUUID(), keepsPrevious = false }) {
      const before = await describe(name);
      if (before === undefined) return instead === undefined ? await create(name, document, version) : 'changed';
      if (versionWithLabel(before, stagingLabels.current) !== instead) return 'changed';
      if ((await put(name, version, document, [changeLabel])) === 'exists') return 'changed';
      const isFirst = versionWithLabel((await describe(name)) ?? before, stagingLabels.current) === version;
      const moved = isFirst ? 'moved' : await move(name, stagingLabels.current, instead, version);
      if (moved === 'moved' && keepsPrevious) {
        const previous = versionWithLabel(before, stagingLabels.previous);
        if (previous !== undefined && instead !== undefined)
          await move(name, stagingLabels.previous, instead, previous);
      }
      await move(name, changeLabel, version, undefined);
      return moved === 'moved' ? 'activated' : 'changed';
    },
    async rollBack(name, instead) {
      const state = await describe(name);
      const previous = state && versionWithLabel(state, stagingLabels.previous);
      if (previous === undefined) return 'changed';
      return (await move(name, stagingLabels.current, instead, previous)) === 'moved' ? 'done' : 'changed';
    },
    request,
    async keepRequest(name, kept) {
      if (await request(name)) return 'exists';
      const version = randomUUID();
      const document = JSON.stringify({ ...kept, for: version });
      const state = await describe(name);
      // The first value of a secret becomes its current one, whatever stagingLabels it is given (AWS API reference, PutSecretValue).
      if (state === undefined) {
        if ((await create(name, document, requestVersionOf(version))) === 'changed') return 'exists';
        await move(name, stagingLabels.request, undefined, requestVersionOf(version));
      } else await put(name, requestVersionOf(version), document, [stagingLabels.request]);
      return 'kept';
    },
    async dropRequest(name, made) {
      const state = await describe(name);
      const version = requestVersionOf(made);
      if (!state || versionWithLabel(state, stagingLabels.request) !== version) return;
      // Where it was the first value: nothing may be rolled back to it.
      if (versionWithLabel(state, stagingLabels.previous) === version)
        await move(name, stagingLabels.previous, version, undefined);
      await move(name, stagingLabels.request, version, undefined);
    },
  };

  async function rotationOf(name: string) {
    return await ask(name, 'DescribeSecret', async () => {
      const answer = await client.send(new DescribeSecretCommand({ SecretId: secretOf(name) }));
      return {
        isEnabled: answer.RotationEnabled === true,
        lastAt: answer.LastRotatedDate?.toISOString(),
        nextAt: answer.NextRotationDate?.toISOString(),
      };
    });
  }
}

/** Not one that is scheduled for deletion: it is there, and what is in it must not be taken for nothing. */
function isMissing({ code, evidence }: CountersignError): boolean {
  return code === 'identity-not-found' && evidence?.reason !== 'InvalidRequestException';
}

/** AWS's words; RotateSecret has no error of its own for it (docs/rotation.md). */
function isStillUnderWay(thrown: unknown): boolean {
  return (
    thrown instanceof Error && thrown.name === 'InvalidRequestException' && /previous rotation/i.test(thrown.message)
  );
}
