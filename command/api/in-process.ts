// The functions in this process, on a source of identities: the same stories behind the same door as on Lambda.
import type { Context } from 'aws-lambda';
import { readSettings, routes, type Settings } from '../../functions/config.ts';
import type { Door } from '../../functions/message/door.ts';
import { usageError } from '../exit-code.ts';
import type { Api, ApiQuestion } from './api.ts';

/** Nobody ends this process behind a call's back: it has all the time that it may ask for. */
const context = { awsRequestId: '', getRemainingTimeInMillis: () => 30_000 } as Context;

/** `environment` names the source (store/chosen-store.ts). Throws a usage error. Reads no identity yet. */
export async function openInProcess(environment: Readonly<Record<string, string | undefined>>): Promise<Api> {
  const settings = settingsIn(environment);
  const [{ openSource }, { openServices }, { openDoor }, { createInvoke }, { createDiagnose }, { sendLinesTo }] =
    await Promise.all([
      import('../../functions/identity/source.ts'),
      import('../../functions/invoke/services.ts'),
      import('../../functions/message/door.ts'),
      import('../../functions/invoke/invoke.ts'),
      import('../../functions/diagnose/diagnose.ts'),
      import('../../functions/telemetry/line.ts'),
    ]);
  // The records are for an operator's log; whoever sits here reads the answer.
  sendLinesTo(() => {});
  const services = openServices({ source: await openSource(settings), ttlMs: settings.identityTtlMs });
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
      const reply = await door(event, context);
      return { status: reply.statusCode ?? 0, headers: {}, body: reply.body ?? '' };
    },
    close: services.close,
  };
}

/** Here they are part of the command line; the sentence names the variable. */
function settingsIn(environment: Readonly<Record<string, string | undefined>>): Settings {
  try {
    return readSettings(environment);
  } catch (thrown) {
    throw usageError((thrown as Error).message);
  }
}
