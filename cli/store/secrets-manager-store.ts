// Identities in Secrets Manager, local or on AWS. Each change is a new version that takes AWSCURRENT from the version
// it was based on.
import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  ListSecretsCommand,
  ResourceExistsException,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '../../core/aws/client.ts';
import { CountersignError } from '../../core/errors.ts';
import { explain } from '../../core/identity/secrets-manager.ts';
import { secretList } from '../../core/versions/secret-list.ts';
import {
  openVersions,
  requestVersionOf,
  type SecretState,
  stagingLabels,
  versionWithLabel,
} from '../../core/versions/versions.ts';
import { refusal, usageError } from '../exit-code.ts';
import { type IdentityStore, type PendingRequest, parsePendingRequest, type Rotations } from './identity-store.ts';
import { isSafeEndpoint, placeOf, type SecretsManagerLocation } from './store-options.ts';
import { toUserError } from './user-error.ts';

/** Our own label for the next version, because Secrets Manager can delete a version without a label. */
const changeLabel = 'COUNTERSIGN_CHANGE';

const attempts = 3;
const attemptTimeoutMs = 10_000;

/** Takes region, credentials and endpoint from the environment: call `applyStoreToEnvironment` first. */
export async function openSecretsManagerStore(
  chosen: SecretsManagerLocation,
  kmsKeyId: string | undefined,
): Promise<IdentityStore> {
  const client = new SecretsManagerClient(clientSettings(attempts, attemptTimeoutMs));
  const versions = openVersions({ prefix: chosen.prefix, attemptTimeoutMs });
  const region = await client.config.region().catch(() => undefined);
  const place = placeOf({ ...chosen, region: chosen.kind === 'aws' ? region : undefined });
  const secretOf = (name: string) => chosen.prefix + name;

  /** Turns every error into one for the user of the command line. */
  async function ask<Result>(name: string, action: string, call: () => Promise<Result>): Promise<Result> {
    try {
      return await call();
    } catch (thrown) {
      const permissions = `secretsmanager:${action} on the secret`;
      throw toUserError(
        thrown instanceof CountersignError ? thrown : explain(thrown, name, { permissions }),
        chosen,
        action,
      );
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

  /** Before a change: Secrets Manager gives some of them on a replica the error of a label that has moved. */
  async function describePrimary(name: string): Promise<SecretState | undefined> {
    const state = await describe(name);
    if (state?.primaryRegion === undefined) return state;
    throw refusal(
      'secret-is-replica',
      `The secret ${secretOf(name)} in this region is a replica, which cannot be changed. Use --region ${state.primaryRegion}, the region of its primary; the replica follows.`,
    );
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

  /** RotateSecret makes a version that has a label and no value. */
  async function hasValue(name: string, version: string): Promise<boolean> {
    return (await read(name, { version })) !== undefined;
  }

  async function request(name: string): Promise<PendingRequest | undefined> {
    const stored = await read(name, { stage: stagingLabels.request });
    return stored && parsePendingRequest(stored.document, `the secret ${secretOf(name)}`);
  }

  const rotations: Rotations = {
    async requirePrimary(name) {
      await describePrimary(name);
    },
    begin: async (name, version) => {
      await describePrimary(name);
      return await ask(name, 'RotateSecret', async () => {
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
      });
    },
    fill: (name, version, document) => put(name, version, document, [stagingLabels.pending]),
  };

  return {
    place,
    rotations,
    async names() {
      const found = await ask('', 'ListSecrets', () => secretList(chosen.prefix).all());
      return found.map(({ name }) => name).sort();
    },
    async state(name) {
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
      const before = await describePrimary(name);
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
      const state = await describePrimary(name);
      const previous = state && versionWithLabel(state, stagingLabels.previous);
      if (previous === undefined) return 'changed';
      return (await move(name, stagingLabels.current, instead, previous)) === 'moved' ? 'done' : 'changed';
    },
    request,
    async saveRequest(name, kept) {
      const state = await describePrimary(name);
      if (await request(name)) return 'exists';
      const version = randomUUID();
      const document = JSON.stringify({ ...kept, for: version });
      // The first value of a secret becomes its current one, whatever stagingLabels it is given (AWS API reference,
      // PutSecretValue).
      if (state === undefined) {
        if ((await create(name, document, requestVersionOf(version))) === 'changed') return 'exists';
        await move(name, stagingLabels.request, undefined, requestVersionOf(version));
      } else await put(name, requestVersionOf(version), document, [stagingLabels.request]);
      return 'kept';
    },
    async deleteRequest(name, made) {
      const state = await describe(name);
      const version = requestVersionOf(made);
      if (!state || versionWithLabel(state, stagingLabels.request) !== version) return;
      // If it was the first value, it must not become the target of a rollback.
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

/** A secret that is scheduled for deletion is not missing. */
function isMissing({ code, evidence }: CountersignError): boolean {
  return code === 'identity-not-found' && evidence?.reason !== 'InvalidRequestException';
}

/** By the message, because RotateSecret has no error code for it (docs/rotation.md). */
function isStillUnderWay(thrown: unknown): boolean {
  return (
    thrown instanceof Error && thrown.name === 'InvalidRequestException' && /previous rotation/i.test(thrown.message)
  );
}

/** AWS's own endpoints (AWS General Reference, "AWS Secrets Manager endpoints and quotas"). */
const ofAws = /(^|\.)(amazonaws\.com(\.cn)?|api\.aws|amazonaws\.eu)$/;

/**
 * The store with the endpoint that the SDK uses, which it also takes from the environment and from profiles. Call it
 * after
 * `applyStoreToEnvironment`. Throws a usage error if keys would be sent without TLS or to another endpoint than
 * --endpoint.
 */
export async function withEffectiveEndpoint(store: SecretsManagerLocation): Promise<SecretsManagerLocation> {
  const url = await endpointOfSdk();
  // There is no endpoint without a region; the next call reports that.
  if (url === undefined) return store;
  if (store.endpoint !== undefined) {
    if (new URL(store.endpoint).host === url.host) return store;
    throw usageError('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS disables --endpoint. Unset it.');
  }
  const isOfAws = url.protocol === 'https:' && ofAws.test(url.hostname);
  if (!isOfAws && !isSafeEndpoint(url))
    throw usageError(
      `The environment or the AWS profile sets the endpoint of Secrets Manager to ${url.origin}. It must be https, unless it is on loopback.`,
    );
  return isOfAws ? store : { ...store, endpoint: url.origin };
}

/** Asks the SDK, by a request that is never sent; undefined if the SDK cannot build the request. */
async function endpointOfSdk(): Promise<URL | undefined> {
  const client = new SecretsManagerClient({ credentials: { accessKeyId: 'none', secretAccessKey: 'none' } });
  let found: URL | undefined;
  client.middlewareStack.add(
    () => async (args) => {
      const { protocol, hostname, port } = args.request as { protocol: string; hostname: string; port?: number };
      found = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
      throw new Error('This request is never sent.');
    },
    { step: 'build', priority: 'high', name: 'captureEndpoint' },
  );
  await client.send(new ListSecretsCommand({})).catch(() => undefined);
  client.destroy();
  return found;
}
