// The functions in this process, on a source of identities: the same stories behind the same door as on Lambda.
import { stat } from 'node:fs/promises';
import type { Context } from 'aws-lambda';
import { CountersignError } from '../../core/errors.ts';
import type { IdentitySource } from '../../core/identity/identity.ts';
import { readSettings, routes, type Settings } from '../../core/settings.ts';
import type { Door } from '../../functions/api-gateway/handler.ts';
import { usageError } from '../exit-code.ts';
import type { ChosenStore } from '../store/chosen-store.ts';
import { requireParent } from '../store/mistaken-folder.ts';
import { told } from '../store/told.ts';
import type { Problem } from './answers.ts';
import type { Api, ApiQuestion } from './api.ts';
import { ownHint } from './own-hints.ts';

/** Nobody ends this process behind a call's back: it has all the time that it may ask for. */
const context = { awsRequestId: '', getRemainingTimeInMillis: () => 30_000 } as Context;

/** `environment` is that of the store (store/chosen-store.ts). Throws a usage error. Reads no identity yet. */
export async function openInProcess(
  store: ChosenStore,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Api> {
  const settings = settingsIn(environment);
  if (store.kind === 'directory') await requireDirectory(store.path);
  const [
    { openSource },
    { openServices },
    { openDoor },
    { createInvoke },
    { createDiagnose },
    { noTelemetry: telemetry },
  ] = await Promise.all([
    import('../../core/identity/source.ts'),
    import('../../core/invocation/services.ts'),
    import('../../functions/api-gateway/handler.ts'),
    import('../../core/invocation/invoke.ts'),
    import('../../core/diagnosis/diagnose.ts'),
    import('../../core/telemetry/telemetry.ts'),
  ]);
  const services = openServices({
    telemetry,
    source: toldTo(store, await openSource(settings)),
    ttlMs: settings.identityTtlMs,
  });
  const keepsDeadline = { docsUrl: settings.docsUrl, storyKeepsDeadline: true };
  const doors: Partial<Record<keyof typeof routes, Door>> = {
    invocations: openDoor(keepsDeadline, createInvoke(services)),
    diagnoses: openDoor(keepsDeadline, createDiagnose(services)),
  };
  return {
    place: 'Countersign in this process',
    async ask({ route, identity, body }: ApiQuestion) {
      const door = doors[route];
      if (!door) throw new Error(`The route ${routes[route]} is not answered in process.`);
      const event = {
        pathParameters: { identity },
        requestContext: {},
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        isBase64Encoded: false,
      };
      const { statusCode: status = 0, body: text = '' } = await door(event, context);
      if (status === 200 || store.kind !== 'directory') return { status, headers: {}, body: text };
      const problem = JSON.parse(text) as Problem;
      const hint = await ownHint(problem, identity ?? '', store.path);
      return { status, headers: {}, body: hint === undefined ? text : JSON.stringify({ ...problem, hint }) };
    },
    close: services.close,
  };
}

/** What keeps the store from answering is for whoever sits here: the functions' own words are for who runs them. */
function toldTo(store: ChosenStore, source: IdentitySource): IdentitySource {
  if (store.kind === 'directory') return source;
  return {
    async read(name, stage) {
      try {
        return await source.read(name, stage);
      } catch (thrown) {
        throw thrown instanceof CountersignError ? told(thrown, store, 'GetSecretValue') : thrown;
      }
    },
  };
}

/** Otherwise there would be no identity of any name in it. */
async function requireDirectory(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isDirectory()) throw usageError(`There is no directory ${path}.`);
  await requireParent(path);
}

/** Here they are part of the command line; the sentence names the variable. */
function settingsIn(environment: Readonly<Record<string, string | undefined>>): Settings {
  try {
    return readSettings(environment);
  } catch (thrown) {
    throw usageError((thrown as Error).message);
  }
}
