// Which store of identities a verb works on: by its options, else the environment, else the local cloud. AWS only if it
// is named.
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import { defaults, variables } from '../../core/settings.ts';
import { isLoopback } from '../../listener/loopback.ts';
import { usageError } from '../exit-code.ts';

export interface StoreOptions {
  readonly source?: string;
  readonly prefix?: string;
  readonly region?: string;
  readonly endpoint?: string;
}

export type StoreLocation = DirectoryLocation | SecretsManagerLocation;

interface DirectoryLocation {
  readonly kind: 'directory';
  /** Absolute. */
  readonly path: string;
}

export interface SecretsManagerLocation {
  readonly kind: 'local' | 'aws';
  /** The name of a secret is the prefix and the name of the identity. */
  readonly prefix: string;
  /** URL; undefined: the SDK's own. Always defined for the local cloud. */
  readonly endpoint: string | undefined;
  /** Undefined: the SDK's own (AWS_REGION, the profile). */
  readonly region: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const localEndpoint = 'http://127.0.0.1:8081';
const localRegion = 'us-east-1';

/** The options of every verb that works on stored identities. */
export function withStoreOptions(command: Command): Command {
  return command
    .optionsGroup('Store of identities:')
    .option('--source <source>', `directory:PATH, local (npm start) or aws ($${variables.identitySource}, else local)`)
    .option(
      '--prefix <text>',
      `prefix of secret names; the name of the identity follows ($${variables.secretPrefix}, else ${defaults.secretPrefix})`,
    )
    .option('--region <region>', 'region of Secrets Manager ($AWS_REGION, else of the AWS profile)')
    .option('--endpoint <url>', `endpoint of Secrets Manager (local: ${localEndpoint})`)
    .optionsGroup('Options:');
}

/** Throws a usage error. An empty variable counts as absent. */
export function resolveStore(options: StoreOptions, environment: Environment): StoreLocation {
  const source = options.source ?? (environment[variables.identitySource] || 'local');
  if (source.startsWith('directory:')) return directory(source.slice('directory:'.length), options);
  const prefix = options.prefix ?? (environment[variables.secretPrefix] || defaults.secretPrefix);
  // Characters: AWS Secrets Manager API reference, CreateSecret, Name.
  if (!/^[A-Za-z0-9/_+=.@-]{1,400}$/.test(prefix)) {
    throw usageError('--prefix can contain only letters, digits and /_+=.@- (at most 400 characters).');
  }
  if (options.region !== undefined && !/^[a-z]{2}(-[a-z]+)+-\d+$/.test(options.region)) {
    throw usageError('--region must be the name of an AWS region, for example eu-central-1.');
  }
  if (source === 'local') {
    const endpoint = endpointOf(options.endpoint ?? localEndpoint);
    if (!isOnLoopback(new URL(endpoint)))
      throw usageError('The local cloud is on loopback. For another --endpoint use --source aws.');
    return { kind: 'local', prefix, endpoint, region: options.region ?? localRegion };
  }
  if (source === 'aws' || source === 'secrets-manager') {
    const endpoint = options.endpoint === undefined ? undefined : endpointOf(options.endpoint);
    return { kind: 'aws', prefix, endpoint, region: options.region };
  }
  throw usageError('--source must be directory:PATH, local or aws.');
}

function directory(path: string, { prefix, region, endpoint }: StoreOptions): DirectoryLocation {
  if (path === '') throw usageError('--source directory: needs a path after the colon.');
  if (prefix !== undefined || region !== undefined || endpoint !== undefined) {
    throw usageError('--prefix, --region and --endpoint are for Secrets Manager, not for a directory.');
  }
  return { kind: 'directory', path: isAbsolute(path) ? path : resolve(path) };
}

function endpointOf(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username || url.password) {
    throw usageError('--endpoint must be an http or https URL.');
  }
  // Private keys are sent to it.
  if (!isSafeEndpoint(url)) throw usageError('--endpoint must be https, unless it is on loopback.');
  return text.replace(/\/$/, '');
}

export function isSafeEndpoint(url: URL): boolean {
  return url.protocol === 'https:' || isOnLoopback(url);
}

/** Rejects names below localhost: the SDK resolves them with DNS, whose answer can be any address. */
function isOnLoopback({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
}

/** The store in a sentence. */
export function placeOf(store: StoreLocation): string {
  if (store.kind === 'directory') return `the directory ${store.path}`;
  if (store.kind === 'local') return `the local cloud at ${store.endpoint}`;
  const where = store.region === undefined ? '' : ` in ${store.region}`;
  return `AWS Secrets Manager${where}${store.endpoint === undefined ? '' : ` at ${store.endpoint}`}`;
}

/**
 * The environment in which core/ and the AWS SDK use that store. For the local cloud all AWS_ variables are removed,
 * so that no credentials of a real account reach it, and no key reaches AWS.
 */
function environmentOf(store: StoreLocation, environment: Environment): Record<string, string | undefined> {
  if (store.kind === 'directory') return { ...environment, [variables.identitySource]: `directory:${store.path}` };
  const common = { [variables.identitySource]: 'secrets-manager', [variables.secretPrefix]: store.prefix };
  const region = store.region === undefined ? {} : { AWS_REGION: store.region };
  if (store.kind === 'aws') {
    const endpoint = store.endpoint === undefined ? {} : { AWS_ENDPOINT_URL_SECRETS_MANAGER: store.endpoint };
    return { ...environment, ...common, ...region, ...endpoint };
  }
  const own = Object.entries(environment).filter(([name]) => !name.startsWith('AWS_'));
  return {
    ...Object.fromEntries(own),
    ...common,
    ...region,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: store.endpoint,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    // The profiles in ~/.aws are for AWS.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

/** Changes the environment of this process, because the SDK reads it there. Call it before the SDK is loaded. */
export function applyStoreToEnvironment(store: StoreLocation, environment: NodeJS.ProcessEnv): void {
  const wanted = environmentOf(store, environment);
  for (const name of Object.keys(environment)) if (!(name in wanted)) delete environment[name];
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) environment[name] = value;
}
