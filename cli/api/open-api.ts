// Which API a verb uses: the one of --api, this process with a source of identities, or the one on this machine.
import type { Command } from 'commander';
import { identityNamePattern, platformIdentity, variables } from '../../core/settings.ts';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import type { CommandContext } from '../context.ts';
import { usageError } from '../exit-code.ts';
import { applyStoreToEnvironment, resolveStore, type StoreOptions, withStoreOptions } from '../store/store-options.ts';
import type { Api, HttpApi } from './api.ts';

export interface ApiOptions extends StoreOptions {
  readonly api?: string;
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly cacert?: string;
}

/** The default address of `npm start` and `countersign serve`. */
const localApi = 'http://127.0.0.1:8080';

/** The options of every verb that uses the API. */
export function withApiOptions(command: Command): Command {
  withStoreOptions(command);
  return command
    .optionsGroup('API:')
    .option('--api <url>', `URL of the API; default without a source: ${localApi} (npm start, countersign serve)`)
    .option('--token-file <file>', 'file with the bearer token, as countersign serve accepts it')
    .option('--cert <file>', 'PEM, the client certificate for the API, and its intermediates')
    .option('--key <file>', 'PEM, its private key, not encrypted')
    .option('--cacert <file>', 'PEM, the roots to trust for the API (those of Node)')
    .optionsGroup('Options:');
}

/** A host can stand without its scheme; the destination guard refuses other schemes. */
export function toUrl(text: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
}

/** Validates --identity. Throws a usage error. */
export function identityOption(name: string | undefined): string {
  const identity = name ?? platformIdentity;
  if (!identityNamePattern.test(identity)) throw usageError('--identity must be the name of an identity.');
  return identity;
}

/** Without --api a source in the environment counts. Throws a usage error. */
export async function openApi(options: ApiOptions, context: CommandContext): Promise<Api> {
  const { api, source, prefix, endpoint, region, ...shown } = options;
  if (api !== undefined && (source ?? prefix ?? endpoint) !== undefined) {
    throw usageError('Give --api, or --source (with --prefix and --endpoint), not both.');
  }
  const { environment } = context;
  if (api === undefined && (source !== undefined || environment[variables.identitySource])) {
    if (Object.values(accessOf(shown)).some((file) => file !== undefined)) {
      throw usageError('--token-file, --cert, --key and --cacert need --api.');
    }
    const store = resolveStore({ source, prefix, endpoint, region } as StoreOptions, environment);
    applyStoreToEnvironment(store, environment);
    if (store.kind === 'aws') await (await import('../store/secrets-manager-store.ts')).withEffectiveEndpoint(store);
    const { openInProcess } = await import('./in-process.ts');
    return openInProcess(store, environment);
  }
  return openHttpApi(options, context);
}

/** The API of --api, else the one that listens on this machine. Throws a usage error. */
export async function openHttpApi(
  { api, region, ...shown }: ApiOptions,
  { environment, now, output }: CommandContext,
): Promise<HttpApi> {
  const url = readUrl(api ?? localApi);
  const [{ openAccess }, { openOverHttp }] = await Promise.all([import('./access.ts'), import('./over-http.ts')]);
  // Requests contain payloads and credentials.
  if (url.protocol === 'http:' && !isLoopbackHeader(url.host))
    throw usageError('--api must be https, unless it is on loopback.');
  const access = await openAccess({ api: url, region, ...accessOf(shown) }, environment, {
    now,
    warn: output.warn,
  });
  const ifRefused =
    api === undefined
      ? `Nothing listens on ${localApi}. Run npm start or countersign serve, or give --api, --source or $${variables.identitySource}.`
      : undefined;
  return openOverHttp(url, access, ifRefused);
}

function accessOf({ tokenFile, cert, key, cacert }: ApiOptions) {
  return { tokenFile, cert, key, cacert };
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) throw usageError('--api must be an http or https URL.');
  if (url.username || url.password || url.search || url.hash) {
    throw usageError('--api must be a URL without a user, a query and a fragment.');
  }
  return url;
}
