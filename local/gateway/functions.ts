// Loads the functions that are deployed, with the environment variables that Lambda would set.
import { existsSync } from 'node:fs';
import { devNull } from 'node:os';
import { routes, variables } from '../../functions/config.ts';
import type { LocalFunction } from './function.ts';
import type { RouteKey } from './route.ts';

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

/** Sets this process's environment, since the functions read it when they are loaded. Throws a one-sentence Error. */
export async function loadFunctions(secretsManagerUrl: string): Promise<Record<RouteKey, LocalFunction>> {
  for (const [name, value] of Object.entries(environment(secretsManagerUrl))) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  const functions: Record<RouteKey, LocalFunction> = {};
  for (const [route, name] of Object.entries(files)) {
    const file = new URL(`../../functions/${name}/handler.ts`, import.meta.url);
    if (!existsSync(file))
      throw new Error(`The file functions/${name}/handler.ts is missing: check the source out again.`);
    const module = (await import(file.href)) as { handler: LocalFunction['handler'] };
    functions[routes[route as keyof typeof routes]] = { name: `countersign-${name}`, handler: module.handler };
  }
  return functions;
}

/** Undefined takes a variable away: nothing of the user's own account, profile or settings may reach the functions. */
function environment(secretsManagerUrl: string): Record<string, string | undefined> {
  return {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManagerUrl,
    AWS_REGION: localRegion,
    AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_ENDPOINT_URL: undefined,
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: undefined,
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    [variables.identitySource]: 'secrets-manager',
    [variables.secretPrefix]: undefined,
  };
}
