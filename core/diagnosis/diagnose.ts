// The story of a diagnosis: read the request, find the identity, pass the guard, make one connection, say what it showed.
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { callerName, identityName } from '../../functions/api-gateway/event.ts';
import type { Story } from '../../functions/api-gateway/handler.ts';
import type { Destination } from '../destination/destination.ts';
import { admit } from '../destination/guard.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import { parseTarget, type Target } from '../destination/target.ts';
import { asCountersignError } from '../errors.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import { type DiagnosisRecord, recordDiagnosis } from '../telemetry/diagnosis-record.ts';
import { failureFields } from '../telemetry/failure-fields.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Deadline, deadlineIn, identityBefore, refreshBefore, roundMs } from '../tls/attempt.ts';
import { assess, type Report } from './assess.ts';
import type { Diagnosis } from './diagnosis.ts';
import { observe } from './observe.ts';
import type { ProbeRequest } from './probe.ts';
import { type DiagnosisRequest, parseDiagnosisRequest } from './request.ts';
import { unusableIdentity } from './unusable-identity.ts';

export interface DiagnoseServices {
  readonly telemetry: Telemetry;
  readonly identities: Pick<IdentityCache, 'get' | 'refreshing'>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
}

/** Every diagnosis leaves one record, whichever way it ends. What is wrong with the request itself is a problem document. */
export function createDiagnose({ telemetry, identities, now = Date.now, lookup }: DiagnoseServices): Story {
  return async (event, context) => {
    const startedAt = performance.now();
    const record: DiagnosisRecord = { requestId: event.requestContext.requestId, totalMs: 0 };
    const caller = callerName(event);
    if (caller !== undefined) record.caller = caller;
    try {
      return await diagnose();
    } catch (thrown) {
      Object.assign(record, failureFields(asCountersignError(thrown)));
      throw thrown;
    } finally {
      record.totalMs = roundMs(performance.now() - startedAt);
      recordDiagnosis(telemetry, record);
    }

    async function diagnose(): Promise<APIGatewayProxyStructuredResultV2> {
      const name = identityName(event);
      record.identity = name;
      const request = parseDiagnosisRequest(event, context.getRemainingTimeInMillis?.());
      const target = parseTarget(request.url);
      record.host = target.host;
      record.port = target.port;
      const deadline = deadlineIn(request.timeoutMs, startedAt);

      try {
        const identity = await identityBefore(deadline, Promise.resolve(identities.get(name)));
        record.version = identity.version;
        const destination = admit(target, identity.destinations);
        const probe = probeFor(request, destination);
        return answer(request, name, await diagnoseWith(identity, destination, target, probe, deadline), identity);
      } catch (thrown) {
        // What is wrong with an identity is a verdict; that there is none, or that the store is away, is a problem.
        const error = asCountersignError(thrown);
        if (error.code === 'identity-unusable') return answer(request, name, unusableIdentity(error, name));
        throw error;
      } finally {
        await refreshBefore(deadline, identities, name);
      }
    }

    async function diagnoseWith(
      identity: Identity,
      destination: Destination,
      target: Target,
      probe: ProbeRequest | undefined,
      deadline: Deadline,
    ): Promise<Report> {
      const terms = { identity, destination, target, probe, deadline, now, lookup };
      const seen = await observe(terms);
      const first = assess(seen, { ...terms, now: now() });
      const isLate = first.access.page === 'wanted-after-handshake';
      if (!isLate || destination.minTlsVersion !== 'TLSv1.2') return first.report;
      const older: Destination = { ...destination, maxTlsVersion: 'TLSv1.2' };
      const second = assess(await observe({ ...terms, destination: older }), { ...terms, now: now() });
      const tried = second.report.verdict === 'access-granted' ? 'worked' : 'did-not-help';
      return assess(seen, { ...terms, now: now(), tried }).report;
    }

    function answer(
      { url }: DiagnosisRequest,
      name: string,
      { verdict, certainty, ...rest }: Report,
      identity?: Identity,
    ): APIGatewayProxyStructuredResultV2 {
      const { version, stage } = identity ?? {};
      const diagnosis: Diagnosis = {
        verdict,
        certainty,
        url,
        identity: { name, ...(version ? { version } : {}), ...(stage ? { stage } : {}) },
        ...rest,
        totalMs: roundMs(performance.now() - startedAt),
      };
      record.verdict = diagnosis.verdict;
      record.certainty = diagnosis.certainty;
      const failed = diagnosis.steps.find(({ status }) => status === 'failed');
      if (failed) record.failedStep = String(failed.step);
      if (diagnosis.server?.protocol) record.protocol = diagnosis.server.protocol;
      return {
        statusCode: 200,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(diagnosis),
      };
    }
  };
}

/** Docs/decisions/0060: what is sent when nobody says what. */
const defaultProbe: ProbeRequest = { method: 'GET', path: '/' };

function probeFor({ probe }: DiagnosisRequest, destination: Destination): ProbeRequest | undefined {
  if (probe === 'none') return undefined;
  return probe ?? destination.probe ?? defaultProbe;
}
