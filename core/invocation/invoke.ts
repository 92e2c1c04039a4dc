// The story of an invocation: read the request, find the identity, pass the guard, call the customer's API, answer.
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { callerName, identityName } from '../../functions/api-gateway/event.ts';
import type { Story } from '../../functions/api-gateway/handler.ts';
import { parseTarget } from '../destination/target.ts';
import { asCountersignError } from '../errors.ts';
import { adviceFor } from '../http/advice.ts';
import type { HttpResponse } from '../http/exchange.ts';
import type { Identity } from '../identity/identity.ts';
import { failureFields } from '../telemetry/failure-fields.ts';
import { type InvocationRecord, newRecord, recordInvocation } from '../telemetry/invocation-record.ts';
import { type Deadline, deadlineIn, identityBefore, refreshBefore, roundMs } from '../tls/attempt.ts';
import { admitAs, namingVersion } from './admission.ts';
import { answerHeaders, encodeBody, type HandshakeReport, invocationReply, type Timings } from './answer.ts';
import { parseInvocation } from './request.ts';
import { type Called, type CallServices, callWithRepeats } from './retries.ts';

/** Every invocation leaves one record, whichever way it ends. */
export function createInvoke(services: CallServices): Story {
  return async (event, context) => {
    const startedAt = performance.now();
    const record = newRecord(event.requestContext.requestId);
    record.caller = callerName(event);
    let deadline: Deadline | undefined;
    try {
      return await invoke();
    } catch (thrown) {
      const error = asCountersignError(thrown);
      Object.assign(record, failureFields(error));
      throw error;
    } finally {
      const refreshing = deadline && refreshed(deadline, record);
      if (refreshing) await refreshing;
      record.totalMs = roundMs(performance.now() - startedAt);
      recordInvocation(services.telemetry, record);
    }

    /** What is read behind an identity that served ends before the answer is returned. */
    function refreshed(by: Deadline, { identity = '', stage }: InvocationRecord): Promise<unknown> | undefined {
      const { identities, fallback } = services;
      const current = refreshBefore(by, identities, identity);
      const previous = fallback && stage === 'AWSPREVIOUS' ? refreshBefore(by, fallback, identity) : undefined;
      return current && previous ? Promise.all([current, previous]) : (current ?? previous);
    }

    async function invoke(): Promise<APIGatewayProxyStructuredResultV2> {
      const name = identityName(event);
      record.identity = name;
      const request = parseInvocation(event, context.getRemainingTimeInMillis?.());
      record.method = request.method;
      record.requestBytes = request.body?.length ?? 0;
      const target = parseTarget(request.url);
      record.host = target.host;
      record.port = target.port;
      deadline = deadlineIn(request.timeoutMs, startedAt);

      const found = services.identities.get(name);
      const identity = found instanceof Promise ? await identityBefore(deadline, found) : found;
      const identityMs = performance.now() - startedAt;
      record.version = identity.version;
      record.stage = identity.stage;
      const destination = admitAs(identity, target);

      const called = await callWithRepeats(services, identity, target, request, deadline);
      record.attempts = called.attempts;
      record.version = called.identity.version;
      record.stage = called.identity.stage;
      if (record.stage === 'AWSPREVIOUS') record.destination = destination.host;
      if (called.earlier.length > 0) record.earlierConnections = called.earlier;
      if (called.rejections > 0) record.rejections = called.rejections;
      const { outcome } = called;
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
        totalMs: roundMs(performance.now() - startedAt),
      };
      record.timings = timings;
      if ('failure' in outcome) throw namingVersion(outcome.failure.error, called.current);
      record.status = outcome.answer.status;
      record.answerBytes = outcome.answer.body.length;
      return reply(called, outcome.answer, timings);
    }
  };
}

function reply(called: Called, answer: HttpResponse, timings: Timings): APIGatewayProxyStructuredResultV2 {
  const { handshake, connection } = called.outcome;
  if (!handshake) throw new Error('An answer came over a connection without a handshake.');
  const headers = answerHeaders(answer.rawHeaders, answer.decoded);
  const contentType = headers['content-type'];
  return invocationReply({
    status: answer.status,
    headers,
    ...encodeBody(answer.body, typeof contentType === 'string' ? contentType : contentType?.[0]),
    handshake: {
      protocol: handshake.protocol,
      cipher: handshake.cipher,
      connection,
      server: handshake.server,
      client: clientOf(called.identity),
    },
    timings,
    advice: adviceFor(answer.status, answer.body, answer.endIsUnproven),
  });
}

/** One object for each identity version, so that its text is made once. */
function clientOf(identity: Identity): HandshakeReport['client'] {
  let client = clients.get(identity);
  if (!client) {
    const { fingerprint256, validTo, version, stage } = identity;
    client = { fingerprint256, validTo, version, stage };
    clients.set(identity, client);
  }
  return client;
}

const clients = new WeakMap<Identity, HandshakeReport['client']>();
