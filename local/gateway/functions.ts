// Loads the functions that are deployed, with the environment variables that Lambda would set.
import { existsSync } from 'node:fs';
import { devNull } from 'node:os';
import { routes, variables } from '../../core/settings.ts';
import type { RouteKey } from '../../listener/route.ts';
import type { LocalFunction } from './function.ts';

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
