// Loads the deployed functions, and invokes a handler as Lambda does: with a context, a deadline, and limits.

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Context } from 'aws-lambda';
import { limits, routes, variables } from '../../core/settings.ts';
import type { RouteKey } from '../../listener/route.ts';
import { localAccountId } from './event.ts';

/** One function serves each route; a route without a file does not compile. */
const files: Readonly<Record<keyof typeof routes, string>> = {
  invocations: 'invoke',
  diagnoses: 'diagnose',
  certificate: 'certificate',
  health: 'health',
};

/** The account's own, of no worth anywhere: a client that signs needs some. */
export const localCredentials = { accessKeyId: 'local', secretAccessKey: 'local' } as const;
export const localRegion = 'us-east-1';

/**
 * Gives this process the environment of a function, which reads it when it is loaded, and so do AWS's SDKs when they
 * are called. Nothing of the user's own account, profile or settings may reach either: a profile would lead to a real
 * account, AWS_USE_FIPS_ENDPOINT=true makes the SDK refuse a local endpoint. So all of AWS's and of Countersign's own
 * go.
 */
export function setEnvironment(places: LocalPlaces): void {
  for (const name of Object.keys(process.env)) if (/^(AWS|COUNTERSIGN)_/i.test(name)) delete process.env[name];
  Object.assign(process.env, environment(places));
}

/** Addresses that the environment of the functions contains. */
export interface LocalPlaces {
  readonly secretsManagerUrl: string;
  readonly eventBusUrl: string;
  /** Absent: the default of the functions. */
  readonly identityTtlSeconds?: number | undefined;
}

/** The name of the bus that rotations are announced on. */
const localEventBus = 'countersign';

/** After setEnvironment. Throws a one-sentence Error. */
export async function loadFunctions(): Promise<Record<RouteKey, LocalFunction>> {
  const functions: Record<RouteKey, LocalFunction> = {};
  for (const [route, name] of Object.entries(files)) {
    functions[routes[route as keyof typeof routes]] = await load(name);
  }
  return functions;
}

/** The one that Secrets Manager calls. After setEnvironment. Throws a one-sentence Error. */
export function loadRotationFunction(): Promise<LocalFunction> {
  return load('rotate');
}

async function load(name: string): Promise<LocalFunction> {
  const file = new URL(`../../functions/${name}.ts`, import.meta.url);
  if (!existsSync(file)) throw new Error(`The file functions/${name}.ts is missing: check the source out again.`);
  const module = (await import(file.href)) as { handler: LocalFunction['handler'] };
  return { name: `countersign-${name}`, handler: module.handler };
}

function environment({ secretsManagerUrl, eventBusUrl, identityTtlSeconds }: LocalPlaces): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManagerUrl,
    AWS_ENDPOINT_URL_EVENTBRIDGE: eventBusUrl,
    AWS_REGION: localRegion,
    AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    [variables.identitySource]: 'secrets-manager',
    [variables.eventBus]: localEventBus,
    ...(identityTtlSeconds === undefined ? {} : { [variables.identityTtlSeconds]: String(identityTtlSeconds) }),
  };
}

export interface LocalFunction {
  readonly name: string;
  readonly handler: (event: never, context: Context) => unknown;
}

/** How an invocation ended; `payload` is the JSON text of what the handler returned. */
export type FunctionOutcome =
  | { readonly kind: 'answered'; readonly payload: string }
  | { readonly kind: 'failed'; readonly reason: unknown }
  | { readonly kind: 'event-too-large' }
  | { readonly kind: 'timed-out' };

/** Lambda's own figure, from its error message: 6 MiB and 100 bytes. */
export const maxAnswerBytes = 6_291_556;

/**
 * Never throws. After the timeout the handler goes on, as behind API Gateway, and its result is dropped.
 * Source: AWS, "Lambda quotas", invocation payload.
 */
export async function invokeFunction(fn: LocalFunction, event: object, timeoutMs: number): Promise<FunctionOutcome> {
  const text = JSON.stringify(event);
  if (Buffer.byteLength(text) > limits.maxEventBytes) return { kind: 'event-too-large' };

  const timer = Promise.withResolvers<FunctionOutcome>();
  const timeout = setTimeout(() => timer.resolve({ kind: 'timed-out' }), timeoutMs);
  try {
    return await Promise.race([run(fn, JSON.parse(text), makeContext(fn.name, timeoutMs)), timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

async function run(fn: LocalFunction, event: unknown, context: Context): Promise<FunctionOutcome> {
  try {
    const payload = JSON.stringify((await fn.handler(event as never, context)) ?? null);
    if (Buffer.byteLength(payload) <= maxAnswerBytes) return { kind: 'answered', payload };
    const reason = `Response payload size exceeded maximum allowed payload size (${maxAnswerBytes} bytes).`;
    return { kind: 'failed', reason: new Error(reason) };
  } catch (reason) {
    return { kind: 'failed', reason };
  }
}

/** Source: AWS, "Using the Lambda context object to retrieve Node.js function information". */
function makeContext(functionName: string, timeoutMs: number): Context {
  const deadline = performance.now() + timeoutMs;
  const ignored = () => undefined;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:${localAccountId}:function:${functionName}`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - performance.now())),
    done: ignored,
    fail: ignored,
    succeed: ignored,
  };
}
