// Asks for a diagnosis: through a gateway over HTTP, or by running the function here on a source of identities.
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { readSettings, routes, variables } from '../functions/config.ts';
import type { Diagnosis } from '../functions/diagnosis/diagnosis.ts';
import type { Failed } from './demo-call.ts';

export type DiagnosisResult = { readonly diagnosis: Diagnosis } | { readonly failed: Failed };

export interface DiagnosisQuestion {
  readonly url: string;
  readonly probe?: { readonly path: string } | false;
  readonly timeoutMs?: number;
}

/** Throws when nobody listens there, or what answers is no diagnosis. */
export async function diagnoseThroughGateway(
  gatewayUrl: string,
  identity: string,
  question: DiagnosisQuestion,
): Promise<DiagnosisResult> {
  const path = (routes.diagnoses.split(' ')[1] ?? '').replace('{identity}', identity);
  const body = JSON.stringify(question);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const { promise, resolve, reject } = Promise.withResolvers<DiagnosisResult>();
  const open = gatewayUrl.startsWith('https:') ? requestTls : request;
  const url = `${gatewayUrl.replace(/\/$/, '')}${path}`;
  const outgoing = open(url, { method: 'POST', headers, agent: false }, (reply) => {
    const status = reply.statusCode ?? 0;
    text(reply)
      .then((answer) => resultOf(status, answer))
      .then(resolve, reject);
  });
  outgoing.once('error', reject);
  outgoing.end(body);
  return promise.catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Error(`The API at ${gatewayUrl} gives no diagnosis (${code ?? message}).`, { cause });
  });
}

/** The same, where nobody named a gateway: that there is none is told with what can be done about it. */
export async function diagnoseInLocalCloud(
  gatewayUrl: string,
  identity: string,
  question: DiagnosisQuestion,
): Promise<DiagnosisResult> {
  try {
    return await diagnoseThroughGateway(gatewayUrl, identity, question);
  } catch (thrown) {
    const { cause } = thrown as { cause?: NodeJS.ErrnoException };
    // What somebody else who listens there says is told as it is.
    if (cause?.code !== 'ECONNREFUSED') throw thrown;
    throw new Error(
      `There is no local cloud on ${gatewayUrl}: run npm start, or say with --api where it is, or with --source or $${variables.identitySource} where identities are.`,
      { cause },
    );
  }
}

/** In this process, with identities from the source that the environment names. Throws what readSettings throws. */
export async function diagnoseHere(
  environment: Readonly<Record<string, string | undefined>>,
  identity: string,
  question: DiagnosisQuestion,
): Promise<DiagnosisResult> {
  const settings = readSettings(environment);
  const [{ createIdentityCache }, { openSource }, { openDoor }, { createDiagnose }, { sendLinesTo }] =
    await Promise.all([
      import('../functions/identity/cache.ts'),
      import('../functions/identity/source.ts'),
      import('../functions/message/door.ts'),
      import('../functions/diagnose/diagnose.ts'),
      import('../functions/telemetry/line.ts'),
    ]);
  // The record is for an operator's log; whoever sits here reads the report.
  sendLinesTo(() => {});
  const identities = createIdentityCache({ source: await openSource(settings), ttlMs: settings.identityTtlMs });
  const door = openDoor({ ...settings, storyKeepsDeadline: true }, createDiagnose({ identities }));
  const event = {
    pathParameters: { identity },
    requestContext: {},
    headers: {},
    body: JSON.stringify(question),
    isBase64Encoded: false,
  };
  const reply = await door(event, { awsRequestId: '' } as never);
  return resultOf(reply.statusCode ?? 0, reply.body ?? '');
}

/** The environment with the source that the command line names. */
export function withSource(
  environment: Readonly<Record<string, string | undefined>>,
  source: string | undefined,
): Readonly<Record<string, string | undefined>> {
  return source === undefined ? environment : { ...environment, [variables.identitySource]: source };
}

function resultOf(status: number, answer: string): DiagnosisResult {
  let body: Partial<Diagnosis & Failed> | undefined;
  try {
    body = JSON.parse(answer) as Partial<Diagnosis & Failed>;
  } catch {
    // The error below says it.
  }
  if (status === 200 && body?.verdict) return { diagnosis: body as Diagnosis };
  if (body?.code && body.detail) return { failed: body as Failed };
  throw new Error(`HTTP ${status}`);
}
