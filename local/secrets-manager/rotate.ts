// RotateSecret, CancelRotateSecret, and the runs that call the rotation function for each step.

import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { type Context, changeSecret, fields } from './input.ts';
import { defined, secretAnswer } from './response.ts';
import {
  nextStart,
  unfinished,
  withRotationBegun,
  withRotationCancelled,
  withRotationReattempted,
  withRunEnded,
  withScheduledRotation,
} from './rotation.ts';
import type { RotationRun, Secret } from './secret.ts';
import { requiredToken } from './write.ts';

export const rotateSecretSchema = v.object({
  SecretId: fields.secretId,
  ClientRequestToken: fields.clientRequestToken,
  RotationLambdaARN: v.exactOptional(v.pipe(v.string(), v.maxLength(2048))),
  RotationRules: fields.rotationRules,
  RotateImmediately: fields.flag,
});

export async function rotateSecret(input: v.InferOutput<typeof rotateSecretSchema>, context: Context) {
  const token = requiredToken(input.ClientRequestToken);
  const functionArn = input.RotationLambdaARN || undefined;
  const isImmediate = input.RotateImmediately ?? true;
  let isIncomplete = false;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    const arn = functionArn ?? current.rotation?.functionArn;
    if (arn !== undefined && !context.rotationFunctions(arn)) throw functionNotFound();
    const pending = unfinished(current);
    if (arn !== undefined && pending !== undefined) {
      isIncomplete = pending !== token;
      return withRotationReattempted(current);
    }
    return withRotationBegun(current, { token, functionArn, rules: input.RotationRules, isImmediate }, context.now());
  });
  context.wakeRotations();
  if (isIncomplete) {
    throw new AwsError(
      'InvalidRequestException',
      "A previous rotation isn't complete. That rotation will be reattempted.",
    );
  }
  return { ...secretAnswer(secret), ...defined('VersionId', isImmediate ? token : undefined) };
}

export const cancelRotateSecretSchema = v.object({ SecretId: fields.secretId });

export async function cancelRotateSecret(input: v.InferOutput<typeof cancelRotateSecretSchema>, context: Context) {
  let interrupted: string | undefined;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    interrupted = current.rotation?.run?.token;
    return withRotationCancelled(current, context.now());
  });
  context.wakeRotations();
  return { ...secretAnswer(secret), ...defined('VersionId', interrupted) };
}

function functionNotFound(): AwsError {
  return new AwsError('ResourceNotFoundException', 'Lambda does not exist.');
}

/** User Guide, "Lambda rotation functions". */
const steps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

/** Delays before the retries of a failed run; no retry after the last one. AWS does not document its delays. */
const retryDelaysMs: readonly number[] = [1_000, 5_000, 30_000];

/** The longest timer: Node's maximum is 24 days, and the clock can change. */
const longestWaitMs = 3_600_000;
/** After a start that could not be stored. */
const waitAfterErrorMs = 60_000;

export interface RotationsOptions {
  readonly context: Omit<Context, 'wakeRotations'>;
  readonly delaysMs?: readonly number[];
  /** Resolves after the milliseconds or when the signal aborts; keeps no process alive. */
  readonly wait?: Wait;
}

export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

export interface Rotations {
  /** Call it when a secret has changed. */
  wake(): void;
  /** Starts no further step and waits for those in progress. The next start continues unfinished rotations. */
  close(): Promise<void>;
}

/** Continues at once the unfinished rotations of an earlier process. */
export function startRotations({
  context,
  delaysMs = retryDelaysMs,
  wait = unreferenced,
}: RotationsOptions): Rotations {
  const { store, now, rotationFunctions } = context;
  const maxFailures = delaysMs.length + 1;
  /** By the secret's name. */
  const running = new Map<string, Promise<void>>();
  const sleepers = new Set<AbortController>();
  let isClosing = false;
  let isChanged = false;

  function wake(): void {
    isChanged = true;
    for (const sleeper of sleepers) sleeper.abort();
  }

  /** @returns whether the time has passed; false when woken before */
  async function sleep(ms: number): Promise<boolean> {
    const sleeper = new AbortController();
    sleepers.add(sleeper);
    await wait(ms, sleeper.signal);
    sleepers.delete(sleeper);
    return !sleeper.signal.aborted;
  }

  async function watchSchedules(): Promise<void> {
    while (!isClosing) {
      isChanged = false;
      const isWritten = await beginDue();
      for (const { name } of store.all()) if (runOf(name) && !running.has(name) && !isClosing) begin(name);
      const ms = isWritten ? earliestStart() - now() : waitAfterErrorMs;
      if (!isChanged) await sleep(Math.min(Math.max(ms, 0), longestWaitMs));
    }
  }

  function earliestStart(): number {
    return Math.min(...[...store.all()].map(startOf));
  }

  /** @returns whether all changes are stored */
  async function beginDue(): Promise<boolean> {
    const due = [...store.all()].filter((secret) => startOf(secret) <= now());
    const begun = await Promise.allSettled(
      due.map(({ name }) =>
        store.update(name, (secret) =>
          secret && startOf(secret) <= now() ? withScheduledRotation(secret, randomUUID(), now()) : secret,
        ),
      ),
    );
    return begun.every(({ status }) => status === 'fulfilled');
  }

  function begin(name: string): void {
    const run = runToTheEnd(name).finally(() => {
      running.delete(name);
      wake();
    });
    running.set(name, run);
  }

  async function runToTheEnd(name: string): Promise<void> {
    for (let run = runOf(name); run && !isClosing; run = runOf(name)) {
      const made = run;
      if (!(await retryTime(name, made))) continue;
      const outcome = await runOnce(name, made);
      if (outcome === 'interrupted') continue;
      const end = { isFailed: outcome === 'failed', maxFailures, now: now() };
      await store
        .update(name, (secret) => secret && withRunEnded(secret, made, end))
        .catch(() => sleep(waitAfterErrorMs));
    }
  }

  /** @returns false if the run is cancelled or restarted before its time */
  async function retryTime(name: string, run: RotationRun): Promise<boolean> {
    const delay = delaysMs[run.failures - 1] ?? 0;
    const until = now() + delay;
    let isTime = delay === 0;
    while (!isTime && isStill(name, run)) isTime = await sleep(Math.max(until - now(), 0));
    return isStill(name, run);
  }

  async function runOnce(name: string, run: RotationRun): Promise<'finished' | 'failed' | 'interrupted'> {
    for (const Step of run.isTest ? (['testSecret'] as const) : steps) {
      const secret = store.get(name);
      if (!secret || !isStill(name, run)) return 'interrupted';
      try {
        const call = rotationFunctions(secret.rotation?.functionArn ?? '');
        if (!call) return 'failed';
        await call({ Step, SecretId: secret.arn, ClientRequestToken: run.token });
      } catch {
        return 'failed';
      }
    }
    return 'finished';
  }

  /** The run in progress; undefined for a secret scheduled for deletion. */
  function runOf(name: string): RotationRun | undefined {
    const secret = store.get(name);
    return secret?.deletionAt === undefined ? secret?.rotation?.run : undefined;
  }

  function isStill(name: string, { token, failures }: RotationRun): boolean {
    const latest = runOf(name);
    return !isClosing && latest?.token === token && latest.failures === failures;
  }

  const watch = watchSchedules();
  return {
    wake,
    async close() {
      isClosing = true;
      wake();
      await watch;
      await Promise.all(running.values());
    },
  };
}

/** Milliseconds since 1970, or never. */
function startOf(secret: Secret): number {
  return nextStart(secret) ?? Number.POSITIVE_INFINITY;
}

function unreferenced(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    timer.unref();
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}
