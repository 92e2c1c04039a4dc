// Rotation in the local cloud: invokes the rotation function for Secrets Manager, and sets the schedule of the
// platform's identity.
import { X509Certificate } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { defaults } from '../core/settings.ts';
import { identityOf } from '../core/versions/versions.ts';
import { localAccountId } from './gateway/event.ts';
import { invokeFunction, type LocalFunction, localRegion } from './gateway/functions.ts';
import type { RotationEvent, RotationFunctions } from './secrets-manager/rotation.ts';
import type { SecretsManager } from './secrets-manager/server.ts';

/** For `aws secretsmanager rotate-secret --rotation-lambda-arn`. */
export const rotationFunctionArn = `arn:aws:lambda:${localRegion}:${localAccountId}:function:countersign-rotate`;

/** A third of the validity of the demo's certificates. */
const schedule = 'rate(30 days)';
/** Of one step. The deployed function has 15 minutes; nothing here takes as long. */
const stepTimeoutMs = 60_000;
/** How long closing waits for a step in progress. */
const closeTimeoutMs = 5_000;
/** The function retries reads for 3 s, and Secrets Manager retries failed steps. */
const testTimeoutMs = 15_000;

/** The identity and step of a failed rotation. */
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
  /** Earlier steps wait for this call. */
  serve(fn: LocalFunction): void;
  /** Waits up to 5 s for the step in progress, which can be interrupted anywhere. */
  end(secrets: Pick<SecretsManager, 'endRotations'>): Promise<void>;
}

/** Secrets Manager starts before the functions are loaded, and can have a rotation to continue. */
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
      const timer = new AbortController();
      const timeout = wait(closeTimeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
      await Promise.race([secrets.endRotations(), timeout]);
      timer.abort();
      ending.reject(new Error('The local cloud ends.'));
    },
  };
}

/**
 * Sets the schedule of an identity that the demo's authority signs, unless the secret had a schedule before. Secrets
 * Manager then tests it: `untilTested` waits until a rotation can start.
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

/** Resolves when no rotation is in progress, at the latest after 15 s. */
export async function untilTested(client: SecretsManagerClient, SecretId: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + testTimeoutMs;
  while (performance.now() < giveUpAt) {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
    if (!Object.values(VersionIdsToStages).some((stages) => stages.includes('AWSPENDING'))) return;
    await wait(20, undefined, { signal });
  }
}

/** SHA-256 of the certificate in use; undefined without one. */
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

/** Undefined for an invalid document; calls report the fault. */
async function currentDocument(client: SecretsManagerClient, SecretId: string): Promise<Document | undefined> {
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
    return (JSON.parse(SecretString ?? '') as Document | null) ?? undefined;
  } catch {
    return undefined;
  }
}
