// Countersign's doors over identities that were never checked, and what comes out of them in the words of the table.
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { diagnosisRoute } from '../../core/diagnosis/diagnose.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { CountersignError } from '../../core/errors.ts';
import { createIdentityCache, type IdentityCache } from '../../core/identity/cache.ts';
import type { Identity } from '../../core/identity/identity.ts';
import { invocationRoute } from '../../core/invocation/invoke.ts';
import { noTelemetry as telemetry } from '../../core/telemetry/telemetry.ts';
import { createPool } from '../../core/tls/connection-pool.ts';
import { apiHandler } from '../../functions/api-gateway/handler.ts';
import { createShelf, invocationEvent, lambdaContext } from '../support/stage.ts';
import type { CallResult } from './agreement.ts';
import type { CellOutcome } from './outcomes.ts';
import { kindOf } from './remedies.ts';
import type { Resources } from './resources.ts';

export interface MatrixClient {
  readonly identities: Map<string, Identity>;
  /** The result of a call in the words of the table. */
  invoke(identity: string, request: object): Promise<string>;
  call(identity: string, request: object): Promise<CallResult>;
  diagnose(identity: string, request: object): Promise<Omit<CellOutcome, 'invocation'>>;
  report(identity: string, request: object): Promise<Diagnosis>;
}

interface Problem {
  readonly code: string;
  readonly step?: number;
  readonly evidence?: { readonly alert?: string; readonly certainty?: string; readonly reason?: string };
}

/** On a busy machine a Java that has just been started can take seconds. */
const slowTimeout = { timeoutMs: 25_000 };

export function createMatrixClient(resources: Resources): MatrixClient {
  const identities = new Map<string, Identity>();
  const nothing = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
  // The real cache would refuse most of the defective identities before a server sees them.
  const unchecked: IdentityCache = {
    ...createIdentityCache({ source: nothing, ttlMs: 60_000 }),
    get: (name) => identities.get(name) as Identity,
    reload: async (name) => identities.get(name) as Identity,
    refreshing: () => undefined,
  };
  const pool = createPool();
  resources.onEnd(() => pool.close());
  const options = {
    docsUrl: 'https://docs.example/',
    onInternalError: (error: unknown) => console.error(error),
    routeKeepsDeadline: true,
  };
  const invoke = apiHandler(options, invocationRoute({ telemetry, identities: unchecked, pool }));
  const diagnose = apiHandler(options, diagnosisRoute({ telemetry, identities: unchecked }));
  const report = async (identity: string, request: object) =>
    diagnosisIn(await diagnose(invocationEvent({ ...slowTimeout, ...request }, identity), lambdaContext(29_000)));
  const call = async (identity: string, request: object) =>
    callIn(await invoke(invocationEvent({ ...slowTimeout, ...request }, identity), lambdaContext(29_000)));
  return {
    identities,
    report,
    call,
    invoke: async (identity, request) => callOutcome(await call(identity, request)),
    diagnose: async (identity, request) => diagnosisOutcome(await report(identity, request)),
  };
}

function callIn(answer: APIGatewayProxyStructuredResultV2): CallResult {
  const body = JSON.parse(answer.body ?? 'null') as Problem | { status: number; advice?: string };
  if ('status' in body && !('code' in body)) {
    // There is other advice too: that the end of a page is unproven, say.
    return { status: body.status, isAdvised: body.advice?.includes('client certificate') ?? false };
  }
  const { code, step, evidence: { alert, certainty, reason } = {} } = body as Problem;
  return {
    code,
    ...(step === undefined ? {} : { step }),
    ...(alert === undefined ? {} : { alert }),
    ...(reason === undefined ? {} : { reason }),
    ...(certainty === undefined ? {} : { certainty }),
  };
}

export function callOutcome({ status, isAdvised, code, alert, certainty }: CallResult): string {
  if (code === undefined) return `${status}${isAdvised ? ' with advice' : ''}`;
  // Of what is not about our certificate the certainty goes without saying.
  const shown = code === 'client-certificate-rejected' ? `, ${certainty}` : '';
  return `${code}${alert ? `, alert ${alert}` : ''}${shown}`;
}

function diagnosisIn({ body }: APIGatewayProxyStructuredResultV2): Diagnosis {
  const diagnosis = JSON.parse(body ?? 'null') as Diagnosis;
  if (!diagnosis.verdict) throw new Error(`No diagnosis: ${body}`);
  return diagnosis;
}

export function diagnosisOutcome(diagnosis: Diagnosis): Omit<CellOutcome, 'invocation'> {
  const failed = diagnosis.steps.find(({ status }) => status === 'failed');
  return {
    verdict: diagnosis.verdict,
    step: failed ? String(failed.step) : '–',
    reason: reasonOf(diagnosis),
    certainty: diagnosis.certainty,
    who: diagnosis.remedies[0]?.who ?? '–',
    remedy: kindOf(diagnosis.remedies[0]),
  };
}

/** What made each step fail: the alert, the status of the page, or the finding's code. */
function reasonOf({ steps, probe }: Diagnosis): string {
  const failures = steps.flatMap(({ findings }) => findings.find(({ severity }) => severity === 'failure') ?? []);
  if (failures.length === 0) return probe?.status === undefined ? '–' : `HTTP ${probe.status}`;
  const reasons = failures.map(({ code, evidence, certainty }) => {
    if (evidence?.alert) return `alert ${evidence.alert}`;
    // That it is untrusted is certain; what is missing follows from the names alone.
    if (code === 'server-certificate-untrusted') return `${code} (${evidence?.reason}, ${certainty})`;
    if (code !== 'client-certificate-rejected') return code;
    return probe?.status === undefined ? 'closed' : `HTTP ${probe.status}`;
  });
  return reasons.join(', then ');
}
