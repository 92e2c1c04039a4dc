// The use case of a diagnosis: find the identity, pass the destination guard, make one connection, report what it
// showed.
import { type ApiCall, type ApiRoute, jsonResponse } from '../api.ts';
import type { Destination } from '../destination/destination.ts';
import { admit } from '../destination/guard.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import { parseTarget, type Target } from '../destination/target.ts';
import { asCountersignError } from '../errors.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import { isIdentityName, requireIdentityName } from '../identity/identity.ts';
import { withNewestDestinations } from '../invocation/admission.ts';
import { bodyText } from '../json-request.ts';
import { type DiagnosisRecord, recordDiagnosis } from '../telemetry/invocation-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { failureFields } from '../telemetry/telemetry.ts';
import { type Deadline, deadlineIn, identityBefore, refreshBefore, reloadBefore, roundMs } from '../tls/attempt.ts';
import { assess, type Report, unusableIdentity } from './assess.ts';
import type { Diagnosis } from './diagnosis.ts';
import { observe } from './observe.ts';
import type { ProbeRequest } from './probe.ts';
import { type DiagnosisRequest, parseDiagnosisRequest } from './request.ts';
import { explainNegotiation } from './wide-offer.ts';

export interface DiagnoseServices {
  readonly telemetry: Telemetry;
  readonly identities: Pick<IdentityCache, 'get' | 'refreshing' | 'reload'>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
}

/** How the request reached Countersign; see ApiCall. */
type DiagnosisCall = Pick<ApiCall, 'requestId' | 'caller' | 'startedAt'>;

/** Diagnoses an endpoint. Throws CountersignError. Leaves one record, whichever way it ends. */
export type Diagnose = (request: DiagnosisRequest, call: DiagnosisCall) => Promise<Diagnosis>;

export function createDiagnose({ telemetry, identities, now = Date.now, lookup }: DiagnoseServices): Diagnose {
  return async (request, call) => {
    const name = request.identity;
    const record = recordOf(call, name);
    try {
      return await diagnose();
    } catch (thrown) {
      Object.assign(record, failureFields(asCountersignError(thrown)));
      throw thrown;
    } finally {
      record.totalMs = roundMs(performance.now() - call.startedAt);
      recordDiagnosis(telemetry, record);
    }

    async function diagnose(): Promise<Diagnosis> {
      const target = parseTarget(request.url);
      record.host = target.host;
      record.port = target.port;
      const deadline = deadlineIn(request.timeoutMs, call.startedAt);

      try {
        const found = identities.get(name);
        const cached = await identityBefore(deadline, Promise.resolve(found));
        const attempt = async (identity: Identity) => {
          record.version = identity.version;
          const destination = admit(target, identity.destinations);
          const probe = probeFor(request, destination);
          return diagnosisOf(await observeAndAssess(identity, destination, target, probe, deadline), identity);
        };
        const reload = async () => (found === cached ? reloadBefore(deadline, identities, name) : undefined);
        return await withNewestDestinations(cached, attempt, reload);
      } catch (thrown) {
        // An unusable identity is a verdict. An identity that does not exist or cannot be read is a problem.
        const error = asCountersignError(thrown);
        if (error.code === 'identity-unusable') return diagnosisOf(unusableIdentity(error, name));
        throw error;
      } finally {
        await refreshBefore(deadline, identities, name);
      }
    }

    async function observeAndAssess(
      identity: Identity,
      destination: Destination,
      target: Target,
      probe: ProbeRequest | undefined,
      deadline: Deadline,
    ): Promise<Report> {
      const terms = { identity, destination, target, probe, deadline, now, lookup };
      const seen = await observe(terms);
      if (seen.failure) seen.failure = await explainNegotiation(seen.failure, terms);
      const first = assess(seen, { ...terms, now: now() });
      const isLate = first.access.page === 'wanted-after-handshake';
      if (!isLate || destination.minTlsVersion !== 'TLSv1.2') return first.report;
      const older: Destination = { ...destination, maxTlsVersion: 'TLSv1.2' };
      const second = assess(await observe({ ...terms, destination: older }), { ...terms, now: now() });
      const tried = second.report.verdict === 'access-granted' ? 'worked' : 'did-not-help';
      return assess(seen, { ...terms, now: now(), tried }).report;
    }

    function diagnosisOf({ verdict, certainty, ...rest }: Report, identity?: Identity): Diagnosis {
      const { version, stage } = identity ?? {};
      const diagnosis: Diagnosis = {
        verdict,
        certainty,
        url: request.url,
        identity: { name, ...(version ? { version } : {}), ...(stage ? { stage } : {}) },
        ...rest,
        totalMs: roundMs(performance.now() - call.startedAt),
      };
      record.verdict = diagnosis.verdict;
      record.certainty = diagnosis.certainty;
      const failed = diagnosis.steps.find(({ status }) => status === 'failed');
      if (failed) record.failedStep = String(failed.step);
      if (diagnosis.server?.protocol) record.protocol = diagnosis.server.protocol;
      return diagnosis;
    }
  };
}

/**
 * `POST /v1/identities/{identity}/diagnoses`. A request that cannot be parsed leaves a record too.
 * @param onDiagnosis receives every diagnosis; must not throw
 */
export function diagnosisRoute(services: DiagnoseServices, onDiagnosis?: (diagnosis: Diagnosis) => void): ApiRoute {
  const diagnose = createDiagnose(services);
  return async (call) => {
    let request: DiagnosisRequest;
    try {
      request = parseDiagnosisRequest(requireIdentityName(call.identity), bodyText(call.body), call.remainingMs);
    } catch (thrown) {
      recordRefusal(services, call, thrown);
      throw thrown;
    }
    const diagnosis = await diagnose(request, call);
    onDiagnosis?.(diagnosis);
    return jsonResponse(JSON.stringify(diagnosis));
  };
}

function recordRefusal({ telemetry }: DiagnoseServices, call: ApiCall, thrown: unknown): void {
  const record = recordOf(call, isIdentityName(call.identity) ? call.identity : undefined);
  Object.assign(record, failureFields(asCountersignError(thrown)));
  record.totalMs = roundMs(performance.now() - call.startedAt);
  recordDiagnosis(telemetry, record);
}

function recordOf({ requestId, caller }: DiagnosisCall, identity: string | undefined): DiagnosisRecord {
  return {
    requestId,
    totalMs: 0,
    ...(caller === undefined ? {} : { caller }),
    ...(identity === undefined ? {} : { identity }),
  };
}

/** The probe of a request and a destination that name no other (docs/decisions/0060). */
const defaultProbe: ProbeRequest = { method: 'GET', path: '/' };

function probeFor({ probe }: DiagnosisRequest, destination: Destination): ProbeRequest | undefined {
  if (probe === 'none') return undefined;
  return probe ?? destination.probe ?? defaultProbe;
}
