// The local API Gateway: calls the deployed handlers with the events of an HTTP API or of a REST API, within the limits
// of AWS.
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { Console } from '../../console/console.ts';
import { type ConsolePage, isVisit, openPage } from '../../console/files.ts';
import { verdictOf } from '../../console/recent-verdicts.ts';
import { answerConsole, consoleRouteOf } from '../../console/routes.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { routes } from '../../core/settings.ts';
import { readBody } from '../../listener/body.ts';
import { gatewayAnswer, type HttpAnswer, sendAnswer } from '../../listener/http-answer.ts';
import { closeServer, listen, urlOf } from '../../listener/listen.ts';
import { isLoopback, isLoopbackHeader, loopbackRequestError } from '../../listener/loopback.ts';
import { matchRoute, type RouteKey } from '../../listener/route.ts';
import { toEvent, toHttpAnswer } from './event.ts';
import { invokeFunction, type LocalFunction } from './functions.ts';
import { restFailures, restNoRoute, restStage, toRestAnswer, toRestEvent } from './rest-event.ts';

/**
 * Source: AWS, "Quotas for configuring and running an HTTP API in API Gateway", and those of a REST API, which are the
 * same.
 */
const gatewayLimits = {
  maxPayloadBytes: 10 * 1024 * 1024,
  /** The request line and all header values together. */
  maxHeaderBytes: 10_240,
} as const;

/** How the two kinds of API differ. */
const kinds = {
  http: {
    basePath: '',
    requestIdHeader: 'apigw-requestid',
    integrationTimeoutMs: 30_000,
    toEvent,
    toAnswer: toHttpAnswer,
    noRoute: gatewayAnswer(404, 'Not Found'),
    /** What an HTTP API answers when Lambda could not: its own words, in its own spelling. */
    failures: {
      'event-too-large': gatewayAnswer(413, 'Request Entity Too Large'),
      failed: gatewayAnswer(500, 'Internal Server Error'),
      'timed-out': gatewayAnswer(503, 'Service Unavailable'),
    },
  },
  rest: {
    basePath: `/${restStage}`,
    requestIdHeader: 'x-amzn-requestid',
    integrationTimeoutMs: 29_000,
    toEvent: toRestEvent,
    toAnswer: toRestAnswer,
    noRoute: restNoRoute,
    failures: restFailures,
  },
} as const;

export interface GatewayOptions {
  readonly functions: Readonly<Record<RouteKey, LocalFunction>>;
  /** 0 takes a free one. */
  readonly port: number;
  /** Absent: `http`. */
  readonly api?: keyof typeof kinds;
  /** A loopback address. */
  readonly host?: string;
  readonly integrationTimeoutMs?: number;
  /** How long close() waits for calls that are under way. */
  readonly closeDeadlineMs?: number;
  /** Told what a function threw; API Gateway tells its caller nothing. */
  readonly onFailure?: (functionName: string, reason: unknown) => void;
  /** Absent: no page is served beside the API. */
  readonly console?: Console;
}

export interface Gateway {
  readonly url: string;
  /** Calls whose answer is not yet sent. */
  callsUnderWay(): number;
  /** Takes no more calls, lets those under way finish up to the deadline, then cuts them off. */
  close(): Promise<void>;
}

/** IAM authorization is not verified: every process on this machine can call. Throws an Error with one sentence. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host = '127.0.0.1', closeDeadlineMs = 5_000 } = options;
  if (!isLoopback(host)) throw new Error(`The local gateway listens on loopback only, not on ${host}.`);
  const page = options.console && openPage();
  const kind = kinds[options.api ?? 'http'];
  let underWay = 0;
  const server = createServer({ keepAliveTimeout: 5_000 }, (request, response) => {
    underWay += 1;
    response.once('close', () => {
      underWay -= 1;
    });
    // Lambda finishes what it began when the caller is gone; only the answer is dropped.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const requestId = randomBytes(11).toString('base64');
    answer(request, requestId, options, page).then((made) => {
      const headers = [...made.headers, kind.requestIdHeader, requestId];
      sendAnswer(request, response, { ...made, headers }, !server.listening);
    });
  });
  const port = await listen(server, { port: options.port, host, what: 'the gateway', option: '--port' });
  return {
    url: urlOf(host, port) + kind.basePath,
    callsUnderWay: () => underWay,
    close: () => closeServer(server, closeDeadlineMs),
  };
}

async function answer(
  request: IncomingMessage,
  requestId: string,
  options: GatewayOptions,
  page: ConsolePage | undefined,
): Promise<HttpAnswer> {
  const { method = '', url: target = '/', httpVersion, rawHeaders, socket, headers } = request;
  const path = target.split('?', 1)[0] ?? '/';
  const refused = loopbackRequestError(headers, 'the local gateway');
  const file = refused && !isVisitOfThisMachine(headers) ? undefined : page?.file(method, path, headers);
  if (file) return file;
  if (refused) return gatewayAnswer(403, refused);
  if (headerBytes(request) > gatewayLimits.maxHeaderBytes) {
    return gatewayAnswer(431, 'Request Header Fields Too Large');
  }
  const receivedAt = new Date();
  const body = await readBody(request, gatewayLimits.maxPayloadBytes);
  if (!body) return gatewayAnswer(413, 'Request Entity Too Large');
  try {
    const own = options.console && consoleRouteOf(method, path);
    if (own && options.console) {
      const question = { contentType: headers['content-type'], body, caller: undefined };
      return await answerConsole(options.console, own, question);
    }
    const kind = kinds[options.api ?? 'http'];
    const isOfStage = path.startsWith(`${kind.basePath}/`);
    const route = isOfStage && matchRoute(Object.keys(options.functions), method, path.slice(kind.basePath.length));
    const fn = route ? options.functions[route.routeKey] : undefined;
    if (!route || !fn) return kind.noRoute;
    const { remoteAddress: sourceIp = '', localPort: port = 0 } = socket;
    const received = { method, target, httpVersion, rawHeaders, body, sourceIp, port, receivedAt, requestId };
    const event = kind.toEvent(received, route);
    const outcome = await invokeFunction(fn, event, options.integrationTimeoutMs ?? kind.integrationTimeoutMs);
    if (outcome.kind === 'failed') options.onFailure?.(fn.name, outcome.reason);
    const made = outcome.kind === 'answered' ? kind.toAnswer(outcome.payload) : kind.failures[outcome.kind];
    if (route.routeKey === routes.diagnoses && made.status === 200) {
      options.console?.parts.verdicts.add(verdictOf(JSON.parse(String(made.body)) as Diagnosis, Date.now()));
    }
    return made;
  } catch (error) {
    if (error instanceof URIError) return gatewayAnswer(400, 'Bad Request');
    options.onFailure?.('gateway', error);
    return gatewayAnswer(500, 'Internal Server Error');
  }
}

function isVisitOfThisMachine(headers: IncomingMessage['headers']): boolean {
  return isVisit(headers) && isLoopbackHeader(headers.host ?? '');
}

function headerBytes({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): number {
  const values = rawHeaders.filter((_, index) => index % 2 === 1);
  return Buffer.byteLength(`${method} ${url} HTTP/${httpVersion}${values.join('')}`);
}
