// Orders as the rotation makes them, and what has to hold of every error of an issuer.
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { CountersignError } from '../../functions/errors.ts';
import type { KeyAlgorithm } from '../../functions/identity/renewal.ts';
import { certificateRequest, newPrivateKey } from '../../functions/issuer/certificate-request.ts';
import type { SigningOrder } from '../../functions/issuer/issuer.ts';

export type CurrentIdentity = NonNullable<SigningOrder['current']>;

export interface OrderOptions {
  readonly keyAlgorithm?: KeyAlgorithm;
  /** PEM; a new one otherwise. */
  readonly privateKey?: string;
  readonly subject?: string;
  readonly names?: readonly string[];
  readonly current?: CurrentIdentity;
  readonly signal?: AbortSignal;
}

export interface TestOrder extends SigningOrder {
  /** PEM: of the request. */
  readonly privateKey: string;
}

/** Names and subject of the current certificate unless others are given. */
export async function orderOf(options: OrderOptions): Promise<TestOrder> {
  const { current, keyAlgorithm = 'EC_P256', signal = new AbortController().signal } = options;
  const privateKey = options.privateKey ?? (await newPrivateKey(keyAlgorithm));
  const request = certificateRequest({
    privateKey,
    subject: options.subject ?? (current ? undefined : 'CN=countersign-platform'),
    names: options.names,
    like: current?.certificate,
  });
  return {
    identity: 'platform',
    privateKey,
    certificateRequest: request,
    idempotencyToken: createHash('sha256').update(request).digest('hex'),
    currentLifetimeDays: undefined,
    current,
    signal,
  };
}

/** The error of a promise that must fail; nothing of `secrets` may stand in it or in what it was caused by. */
export async function failureOf(promise: Promise<unknown>, secrets: readonly string[] = []): Promise<CountersignError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CountersignError);
  const everything = textOf(error);
  for (const secret of secrets) expect(everything).not.toContain(secret);
  expect(everything).not.toMatch(/-----BEGIN|PRIVATE KEY|eyJ[\w-]+\.eyJ/);
  return error as CountersignError;
}

function textOf(error: unknown): string {
  const texts = [inspect(error, { depth: 10, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity })];
  for (let at = error; at instanceof Error; at = at.cause) {
    texts.push(JSON.stringify(at, Object.getOwnPropertyNames(at)), at.message, at.stack ?? '');
  }
  return texts.join('\n');
}
