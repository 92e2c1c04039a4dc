// Rotation in the local cloud: how Secrets Manager reaches the rotation function, and the schedule of the platform's identity.
import { X509Certificate } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { defaults } from '../core/settings.ts';
import { identityOf } from '../core/versions/secret-ids.ts';
import { localAccountId } from './gateway/event.ts';
import { invokeFunction, type LocalFunction } from './gateway/function.ts';
import { localRegion } from './gateway/functions.ts';
import type { RotationEvent, RotationFunctions } from './secrets-manager/rotation.ts';
import type { SecretsManager } from './secrets-manager/server.ts';

/** For `aws secretsmanager rotate-secret --rotation-lambda-arn`. */
export const rotationFunctionArn = `arn:aws:lambda:${localRegion}:${localAccountId}:function:countersign-rotate`;

/** A third of what the demo's authority signs for. */
const schedule = 'rate(30 days)';
/** Of one step. Lambda's is 15 minutes; nothing here takes that long to answer. */
const stepTimeoutMs = 60_000;
/** How long the end waits for a step that is under way. */
const patienceMs = 5_000;
/** The function looks for what may not be shown yet for 3 s; a step that fails is taken again. */
const testPatienceMs = 15_000;

/** Of a rotation: whose, and how far it was. */
export interface FailedStep {
  readonly identity: string;
  /** As AWS spells it. */
  readonly step: string;
}

export interface RotationListeners {
  readonly onFailure: (functionName: string, reason: unknown, at: FailedStep) => void;
  readonly onStep?: ((step: string, tookMs: number) => void) | undefined;
}

export interface LocalRotation {
  readonly rotationFunctions: RotationFunctions;
  /** Steps asked for before that wait for it. */
  serve(fn: LocalFunction): void;
  /** Waits for the step under way, for some seconds: it may be cut off anywhere. */
  end(secrets: Pick<SecretsManager, 'endRotations'>): Promise<void>;
}

/** Secrets Manager is up before the functions are loaded, and may have a rotation to go on with. */
export function createRotation({ onFailure, onStep }: RotationListeners): LocalRotation {
  const loaded = Promise.withResolvers<LocalFunction>();
  const ending = Promise.withResolvers<never>();
  for (const { promise } of [loaded, ending]) promise.catch(() => undefined);

  async function step(event: RotationEvent): Promise<void> {
    const fn = await Promise.race([loaded.promise, ending.promise]);
    const begunAt = performance.now();
    const outcome = await Promise.race([invokeFunction(fn, event, stepTimeoutMs), ending.promise]);
    if (outcome.kind === 'answered') {
      onStep?.(event.Step, performance.now() - begunAt);
      return;
    }
    const reason = outcome.kind === 'failed' ? outcome.reason : outcome.kind;
    onFailure(fn.name, reason, { identity: identityOf(defaults.secretPrefix, event.SecretId), step: event.Step });
    throw new Error('The step failed.', { cause: reason });
  }

  return {
    rotationFunctions: (arn) => (arn === rotationFunctionArn ? step : undefined),
    serve: loaded.resolve,
    async end(secrets) {
      const patience = new AbortController();
      const over = wait(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined);
      await Promise.race([secrets.endRotations(), over]);
      patience.abort();
      ending.reject(new Error('The local cloud ends.'));
    },
  };
}

/**
 * Sets the schedule of an identity that the demo's authority signs, unless somebody has set up another or cancelled it.
 * Secrets Manager tests it behind that: `untilTested` tells when a rotation can begin.
 */
export async function scheduleRotation(client: SecretsManagerClient, SecretId: string): Promise<void> {
  const document = await currentDocument(client, SecretId);
  if (document?.renewal?.issuer?.kind !== 'local') return;
  const { RotationEnabled } = await client.send(new DescribeSecretCommand({ SecretId }));
  if (RotationEnabled !== undefined) return;
  await client.send(
    new RotateSecretCommand({
      SecretId,
      RotationLambdaARN: rotationFunctionArn,
      RotationRules: { ScheduleExpression: schedule },
      RotateImmediately: false,
    }),
  );
}

/** Resolves when no rotation is under way, and after the patience of a test in any case. */
export async function untilTested(client: SecretsManagerClient, SecretId: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + testPatienceMs;
  while (performance.now() < giveUpAt) {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
    if (!Object.values(VersionIdsToStages).some((stages) => stages.includes('AWSPENDING'))) return;
    await wait(20, undefined, { signal });
  }
}

/** SHA-256, of the certificate that is in use; undefined where there is none. */
export async function currentFingerprint(client: SecretsManagerClient, SecretId: string): Promise<string | undefined> {
  try {
    return new X509Certificate(String((await currentDocument(client, SecretId))?.certificate)).fingerprint256;
  } catch {
    return undefined;
  }
}

interface Document {
  readonly certificate?: unknown;
  readonly renewal?: { readonly issuer?: { readonly kind?: unknown } };
}

/** Undefined for what is no document; calls say what is wrong with it. */
async function currentDocument(client: SecretsManagerClient, SecretId: string): Promise<Document | undefined> {
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
    return (JSON.parse(SecretString ?? '') as Document | null) ?? undefined;
  } catch {
    return undefined;
  }
}
