// The use cases in this process, on a source of identities.
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { type ProblemDocument, problemDocument } from '../../core/api.ts';
import { asCountersignError, CountersignError } from '../../core/errors.ts';
import type { IdentitySource } from '../../core/identity/identity.ts';
import { readSettings, type Settings } from '../../core/settings.ts';
import { usageError } from '../exit-code.ts';
import { quoted } from '../output.ts';
import { requireParentDirectory, unreadablePath } from '../store/directory-permissions.ts';
import type { StoreLocation } from '../store/store-options.ts';
import { toUserError } from '../store/user-error.ts';
import type { Api, Problem, Result } from './api.ts';

/** `environment` is that of the store (store/store-options.ts). Throws a usage error. Reads no identity yet. */
export async function openInProcess(
  store: StoreLocation,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Api> {
  const { docsUrl, ...settings } = settingsIn(environment);
  if (store.kind === 'directory') await requireDirectory(store.path);
  const [
    { openSource },
    { openServices },
    { createInvoke },
    { checkInvocationRequest },
    { createDiagnose },
    { checkDiagnosisRequest },
    { noTelemetry: telemetry },
  ] = await Promise.all([
    import('../../core/identity/open-source.ts'),
    import('../../core/invocation/services.ts'),
    import('../../core/invocation/invoke.ts'),
    import('../../core/invocation/request.ts'),
    import('../../core/diagnosis/diagnose.ts'),
    import('../../core/diagnosis/request.ts'),
    import('../../core/telemetry/telemetry.ts'),
  ]);
  const source = withStoreErrors(store, await openSource({ docsUrl, ...settings }));
  const services = openServices({ telemetry, source, ttlMs: settings.identityTtlMs });
  const invoke = createInvoke(services);
  const diagnose = createDiagnose(services);

  async function resultOf<Answer>(identity: string, work: (call: Call) => Promise<Answer>): Promise<Result<Answer>> {
    const requestId = randomUUID();
    try {
      return { answer: await work({ requestId, caller: undefined, startedAt: performance.now() }) };
    } catch (thrown) {
      const problem: ProblemDocument = problemDocument(asCountersignError(thrown), requestId, docsUrl);
      const hint = store.kind === 'directory' ? await directoryHint(problem, identity, store.path) : undefined;
      return { problem: hint === undefined ? problem : { ...problem, hint } };
    }
  }

  return {
    place: 'Countersign in this process',
    invoke: (identity, { ...fields }) =>
      resultOf(identity, (call) => invoke(checkInvocationRequest(identity, fields), call)),
    diagnose: (identity, { ...fields }) =>
      resultOf(identity, (call) => diagnose(checkDiagnosisRequest(identity, fields), call)),
    close: services.close,
  };
}

interface Call {
  readonly requestId: string;
  readonly caller: undefined;
  readonly startedAt: number;
}

/** Errors of the store in the words of the command line: those of the functions are for their operator. */
function withStoreErrors(store: StoreLocation, source: IdentitySource): IdentitySource {
  if (store.kind === 'directory') return source;
  return {
    async read(name, stage) {
      try {
        return await source.read(name, stage);
      } catch (thrown) {
        throw thrown instanceof CountersignError ? toUserError(thrown, store, 'GetSecretValue') : thrown;
      }
    },
  };
}

/** Without a directory every identity would seem to be missing. */
async function requireDirectory(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isDirectory()) throw usageError(`There is no directory ${path}.`);
  await requireParentDirectory(path);
}

/** Here settings are part of the command line; the error names the variable. */
function settingsIn(environment: Readonly<Record<string, string | undefined>>): Settings {
  try {
    return readSettings(environment);
  } catch (thrown) {
    throw usageError((thrown as Error).message);
  }
}

/** A hint for the user of a directory at `path`; undefined if the usual hint applies. */
async function directoryHint(problem: Problem, identity: string, path: string): Promise<string | undefined> {
  const { code, evidence } = problem as Problem & { readonly evidence?: Readonly<Record<string, unknown>> };
  const verb = (words: string) => `countersign identity ${words} --source ${quoted(`directory:${path}`)}`;
  switch (code) {
    case 'destination-forbidden': {
      const { addressClass } = evidence ?? {};
      if (addressClass === 'forbidden') return undefined;
      if (addressClass !== undefined) {
        return `To allow this address, remove the destination and add it again with --network ${String(addressClass)}: ${verb(`destinations ${identity} list`)}`;
      }
      return `To allow this destination: ${verb(`destinations ${identity} add HOST:PORT`)}`;
    }
    case 'identity-not-found':
      return `List the identities: ${verb('list')}`;
    case 'identity-unusable':
      return `Find out why: ${verb(`inspect ${identity}`)}`;
    case 'identity-unavailable':
      return await unreadablePath(path, identity);
    default:
      return undefined;
  }
}
