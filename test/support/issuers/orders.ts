// Orders as the rotation makes them, and what has to hold of every error of an issuer.
import { createHash, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import type { KeyAlgorithm } from '../../../core/identity/renewal.ts';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { usableParts } from '../../../core/issuers/check-issued.ts';
import { type EstOptions, estIssuer } from '../../../core/issuers/est.ts';
import type { SigningOrder } from '../../../core/issuers/issuer.ts';
import type { Authority } from '../../../local/authority/authority.ts';

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

export const user = { name: 'platform', password: 'the password of the first enrolment' };

export interface EstAt {
  readonly url: string;
  readonly root: Authority;
}

export interface EstAs {
  readonly name?: string;
  readonly password?: string;
  readonly label?: string;
  /** PEM; those of the server otherwise. */
  readonly roots?: string;
}

export async function issueByEst({ url, root }: EstAt, order: SigningOrder, as: EstAs = {}, options: EstOptions = {}) {
  const { name, password, label, roots = root.certificate } = as;
  const authentication = { ...(name ? { username: name } : {}), ...(password ? { password } : {}) };
  return estIssuer({ kind: 'est', url, roots, ...authentication, ...(label ? { label } : {}) }, options).issue(order);
}

/** Signed, put in order and checked as a rotation does it. */
export async function enrolled(server: EstAt, order: TestOrder, as?: EstAs, options?: EstOptions) {
  const parts = usableParts(await issueByEst(server, order, as, options), { ...order, now: Date.now() });
  const current: CurrentIdentity = { ...parts, privateKey: order.privateKey };
  return { parts, current, leaf: new X509Certificate(parts.certificate) };
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

/** Whatever can be reached from it, bytes as the text that they may be. */
function textOf(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (typeof value !== 'object' || value === null || seen.has(value)) return '';
  seen.add(value);
  const properties = Reflect.ownKeys(value).map((key) => textOf(Reflect.get(value, key), seen));
  return [inspect(value), ...properties].join('\n');
}
