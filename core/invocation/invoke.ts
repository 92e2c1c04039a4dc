// The use case of an invocation: find the identity, pass the destination guard, call the customer's API.
import type { ApiCall, ApiRoute } from '../api.ts';
import { parseTarget, type Target } from '../destination/target.ts';
import { asCountersignError, type CountersignError } from '../errors.ts';
import { adviceFor } from '../http/advice.ts';
import { type HttpResponse, isIdempotent } from '../http/exchange.ts';
import type { Identity } from '../identity/identity.ts';
import { isIdentityName, requireIdentityName } from '../identity/identity.ts';
import { bodyText } from '../json-request.ts';
import { type InvocationRecord, newRecord, recordInvocation, type Timings } from '../telemetry/invocation-record.ts';
import { failureFields } from '../telemetry/telemetry.ts';
import { type Deadline, deadlineIn, identityBefore, refreshBefore, reloadBefore, roundMs } from '../tls/attempt.ts';
import { admitAs, namingVersion, withNewestDestinations } from './admission.ts';
import {
  answerHeaders,
  encodeBody,
  type HandshakeReport,
  type InvocationResult,
  invocationResponse,
} from './answer.ts';
import { type InvocationRequest, parseInvocationRequest } from './request.ts';
import { type CallResult, type CallServices, callWithRetries } from './retries.ts';

/** How the call reached Countersign; see ApiCall. */
type InvocationCall = Pick<ApiCall, 'requestId' | 'caller' | 'startedAt'>;

/** Calls the customer's API. Throws CountersignError. Leaves one record, whichever way it ends. */
export type Invoke = (request: InvocationRequest, call: InvocationCall) => Promise<InvocationResult>;

export function createInvoke(services: CallServices): Invoke {
  return async (request, call) => {
    const record = recordOf(call, request.identity);
    record.method = request.method;
    record.requestBytes = request.body?.length ?? 0;
    let deadline: Deadline | undefined;
    try {
      return await invoke();
    } catch (thrown) {
      const error = asCountersignError(thrown);
      Object.assign(record, failureFields(error));
      throw suggestingDiagnosis(error, request);
    } finally {
      const refreshing = deadline && refreshed(deadline, record);
      if (refreshing) await refreshing;
      record.totalMs = roundMs(performance.now() - call.startedAt);
      recordInvocation(services.telemetry, record);
    }

    /** A read of the identity that goes on in the background must end before Lambda freezes the process. */
    function refreshed(by: Deadline, { identity = '', stage }: InvocationRecord): Promise<unknown> | undefined {
      const { identities, fallback } = services;
      const current = refreshBefore(by, identities, identity);
      const previous = fallback && stage === 'AWSPREVIOUS' ? refreshBefore(by, fallback, identity) : undefined;
      return current && previous ? Promise.all([current, previous]) : (current ?? previous);
    }

    async function newestOf(cached: Identity, by: Deadline): Promise<Identity> {
      await refreshBefore(by, services.identities, cached.name, 'call');
      const now = services.identities.get(cached.name);
      return now instanceof Promise ? identityBefore(by, now) : now;
    }

    /** Throws `destination-forbidden` also for an address that the name resolved to: nothing was sent then. */
    async function attempt(identity: Identity, target: Target, by: Deadline, identityMs: number) {
      record.version = identity.version;
      record.stage = identity.stage;
      record.identityAgeMs = services.identities.overdueAge(identity.name);
      const destination = admitAs(identity, target);
      const result = await callWithRetries(services, identity, target, request, by);
      const { outcome, current } = result;
      record.attempts = result.attempts;
      record.version = result.identity.version;
      record.stage = result.identity.stage;
      if (record.stage === 'AWSPREVIOUS') record.destination = destination.host;
      if (result.earlier.length > 0) record.earlierConnections = result.earlier;
      if (result.rejections > 0) record.rejections = result.rejections;
      if (outcome.handshake) {
        record.connection = outcome.connection;
        record.protocol = outcome.handshake.protocol;
      }
      const { dnsMs, connectMs, tlsMs } = outcome.attempt;
      const timings = {
        identityMs: roundMs(identityMs),
        dnsMs: roundMs(dnsMs),
        connectMs: roundMs(connectMs),
        tlsMs: roundMs(tlsMs),
        firstByteMs: 'answer' in outcome ? roundMs(outcome.firstByteMs) : 0,
        totalMs: roundMs(performance.now() - call.startedAt),
      };
      record.timings = timings;
      if ('failure' in outcome && outcome.failure.error.code === 'destination-forbidden') {
        throw namingVersion(outcome.failure.error, current);
      }
      return { result, timings };
    }

    async function invoke(): Promise<InvocationResult> {
      const target = parseTarget(request.url);
      record.host = target.host;
      record.port = target.port;
      deadline = deadlineIn(request.timeoutMs, call.startedAt);

      const by = deadline;
      const found = services.identities.get(request.identity);
      let identity = found instanceof Promise ? await identityBefore(by, found) : found;
      const wasCached = !(found instanceof Promise);
      // A call that cannot be repeated waits for the read that `get` has started.
      if (wasCached && !isIdempotent(request.method)) identity = await newestOf(identity, by);
      const identityMs = performance.now() - call.startedAt;
      const { result, timings } = await withNewestDestinations(
        identity,
        (current) => attempt(current, target, by, identityMs),
        async () => (wasCached ? reloadBefore(by, services.identities, identity.name) : undefined),
      );
      const { outcome } = result;
      if ('failure' in outcome) throw outcome.failure.error;
      record.status = outcome.answer.status;
      record.answerBytes = outcome.answer.body.length;
      return resultOf(result, outcome.answer, timings, record.requestBytes);
    }
  };
}

/** A failure of the handshake or of the response names the diagnosis that finds its cause. */
function suggestingDiagnosis(error: CountersignError, request: InvocationRequest): CountersignError {
  const { code, step, hint } = error;
  if (step === undefined && !code.startsWith('response-')) return error;
  const url = `https://${parseTarget(request.url).authority}/`;
  return error.with({
    hint: `${hint} To find the cause, diagnose ${url}.`,
    diagnosis: { identity: request.identity, url },
  });
}

/** `POST /v1/identities/{identity}/invocations`. A request that cannot be parsed leaves a record too. */
export function invocationRoute(services: CallServices): ApiRoute {
  const invoke = createInvoke(services);
  return async (call) => {
    let request: InvocationRequest;
    try {
      const identity = requireIdentityName(call.identity);
      request = parseInvocationRequest(identity, bodyText(call.body), call.remainingMs);
    } catch (thrown) {
      const error = asCountersignError(thrown);
      recordRefusal(services, call, error);
      throw error;
    }
    return invocationResponse(await invoke(request, call));
  };
}

function recordRefusal({ telemetry }: CallServices, call: ApiCall, error: CountersignError): void {
  const record = recordOf(call, isIdentityName(call.identity) ? call.identity : undefined);
  Object.assign(record, failureFields(error));
  record.totalMs = roundMs(performance.now() - call.startedAt);
  recordInvocation(telemetry, record);
}

function recordOf({ requestId, caller }: InvocationCall, identity: string | undefined): InvocationRecord {
  const record = newRecord(requestId);
  record.caller = caller;
  record.identity = identity;
  return record;
}

function resultOf(result: CallResult, answer: HttpResponse, timings: Timings, requestBytes = 0): InvocationResult {
  const { handshake, connection } = result.outcome;
  if (!handshake) throw new Error('A response arrived over a connection without a handshake.');
  const headers = answerHeaders(answer.rawHeaders, answer.decoded);
  const contentType = headers['content-type'];
  const { body, bodyEncoding } = encodeBody(
    answer.body,
    typeof contentType === 'string' ? contentType : contentType?.[0],
  );
  return {
    status: answer.status,
    headers,
    body,
    bodyEncoding,
    handshake: {
      protocol: handshake.protocol,
      cipher: handshake.cipher,
      connection,
      server: handshake.server,
      clientCertificateRequested: handshake.client.requested,
      client: handshake.client.presented ? clientOf(result.identity) : undefined,
    },
    timings,
    advice: adviceFor({
      status: answer.status,
      body: answer.body,
      endIsUnproven: answer.endIsUnproven,
      asked: handshake.asked,
      protocol: handshake.protocol,
      client: handshake.client,
      requestBytes,
    }),
  };
}

/** One object for each identity version, so that its JSON text is made once. */
function clientOf(identity: Identity): NonNullable<HandshakeReport['client']> {
  let client = clients.get(identity);
  if (!client) {
    const { fingerprint256, validTo, version, stage } = identity;
    client = { fingerprint256, validTo, version, stage };
    clients.set(identity, client);
  }
  return client;
}

const clients = new WeakMap<Identity, NonNullable<HandshakeReport['client']>>();
