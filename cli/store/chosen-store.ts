// Which store of identities a verb works on: what the options say, else the environment, else the local cloud. Never AWS unless it is named.
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

export type ChosenStore = ChosenDirectory | ChosenSecretsManager;

export interface ChosenDirectory {
  readonly kind: 'directory';
  /** Absolute. */
  readonly path: string;
}

export interface ChosenSecretsManager {
  readonly kind: 'local' | 'aws';
  /** Goes before an identity's name to make a secret's name. */
  readonly prefix: string;
  /** URL; absent: the SDK's own. Of the local cloud always there. */
  readonly endpoint: string | undefined;
  /** Absent: the SDK's own (AWS_REGION, the profile). */
  readonly region: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const localEndpoint = 'http://127.0.0.1:8081';
const localRegion = 'us-east-1';

/** The options that every verb has which works on stored identities. */
export function withStore(command: Command): Command {
  return command
    .optionsGroup('Where identities are:')
    .option('--source <source>', `directory:PATH, local (npm start) or aws ($${variables.identitySource}, else local)`)
    .option(
      '--prefix <text>',
      `before the name, the name of the secret ($${variables.secretPrefix}, else ${defaults.secretPrefix})`,
    )
    .option('--region <region>', 'of Secrets Manager ($AWS_REGION, else of the AWS profile)')
    .option('--endpoint <url>', `of Secrets Manager (local: ${localEndpoint})`)
    .optionsGroup('Options:');
}

/** Throws a usage error. An empty variable counts as absent. */
export function chosenStore(options: StoreOptions, environment: Environment): ChosenStore {
  const source = options.source ?? (environment[variables.identitySource] || 'local');
  if (source.startsWith('directory:')) return directory(source.slice('directory:'.length), options);
  const prefix = options.prefix ?? (environment[variables.secretPrefix] || defaults.secretPrefix);
  // Characters: AWS Secrets Manager API reference, CreateSecret, Name.
  if (!/^[A-Za-z0-9/_+=.@-]{1,400}$/.test(prefix)) {
    throw usageError('--prefix may hold only letters, digits and /_+=.@- (at most 400).');
  }
  if (options.region !== undefined && !/^[a-z]{2}(-[a-z]+)+-\d+$/.test(options.region)) {
    throw usageError('--region must be the name of an AWS region, eu-central-1 say.');
  }
  if (source === 'local') {
    const endpoint = endpointOf(options.endpoint ?? localEndpoint);
    if (!isOnLoopback(new URL(endpoint)))
      throw usageError('The local cloud is on loopback: for another --endpoint say --source aws.');
    return { kind: 'local', prefix, endpoint, region: options.region ?? localRegion };
  }
  if (source === 'aws' || source === 'secrets-manager') {
    const endpoint = options.endpoint === undefined ? undefined : endpointOf(options.endpoint);
    return { kind: 'aws', prefix, endpoint, region: options.region };
  }
  throw usageError('--source must be directory: and a path, local, or aws.');
}

function directory(path: string, { prefix, region, endpoint }: StoreOptions): ChosenDirectory {
  if (path === '') throw usageError('--source directory: needs a path behind the colon.');
  if (prefix !== undefined || region !== undefined || endpoint !== undefined) {
    throw usageError('--prefix, --region and --endpoint are for Secrets Manager; a directory has none of them.');
  }
  return { kind: 'directory', path: isAbsolute(path) ? path : resolve(path) };
}

function endpointOf(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username || url.password) {
    throw usageError('--endpoint must be an http or https URL.');
  }
  // Keys go over it.
  if (!isSafeEndpoint(url)) throw usageError('--endpoint must be https, unless it is on loopback.');
  return text.replace(/\/$/, '');
}

export function isSafeEndpoint(url: URL): boolean {
  return url.protocol === 'https:' || isOnLoopback(url);
}

/** No name below localhost: the SDK has it looked up, and whoever answers in DNS may lead it anywhere. */
function isOnLoopback({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
}

/** For a sentence: where it is that something is read or written. */
export function placeOf(store: ChosenStore): string {
  if (store.kind === 'directory') return `the directory ${store.path}`;
  if (store.kind === 'local') return `the local cloud at ${store.endpoint}`;
  const where = store.region === undefined ? '' : ` in ${store.region}`;
  return `AWS Secrets Manager${where}${store.endpoint === undefined ? '' : ` at ${store.endpoint}`}`;
}

/**
 * The environment in which the functions and the AWS SDK work on that store. For the local cloud what leads to AWS is taken
 * out of it: no credentials of a real account go there, and no key goes to AWS.
 */
function environmentOf(store: ChosenStore, environment: Environment): Record<string, string | undefined> {
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
    // What ~/.aws says is for AWS.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

/** Makes that the environment of this process: the SDK reads it there. To be called before the SDK is loaded. */
export function useStore(store: ChosenStore, environment: NodeJS.ProcessEnv): void {
  const wanted = environmentOf(store, environment);
  for (const name of Object.keys(environment)) if (!(name in wanted)) delete environment[name];
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) environment[name] = value;
}
