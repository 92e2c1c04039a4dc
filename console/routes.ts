// The console's own routes: its state, and the start of a rotation. The page uses the API for everything else.
import { isUtf8 } from 'node:buffer';
import { asCountersignError } from '../core/errors.ts';
import { gatewayAnswer, type HttpAnswer } from '../listener/http-answer.ts';
import { matchRoute, type RouteMatch } from '../listener/route.ts';
import type { Console, ConsoleCaller } from './console.ts';

export const consoleRoutes = {
  state: 'GET /console/api/state',
  rotations: 'POST /console/api/identities/{identity}/rotations',
} as const;

const routeKeys: readonly string[] = Object.values(consoleRoutes);

/** `path` without its query. Throws URIError if it is not valid percent-encoding. */
export function consoleRouteOf(method: string, path: string): RouteMatch | undefined {
  return path.startsWith('/console/') ? matchRoute(routeKeys, method, path) : undefined;
}

export interface ConsoleRequest {
  readonly contentType: string | undefined;
  readonly body: Buffer;
  /** Undefined where every caller can use every identity. */
  readonly caller: ConsoleCaller | undefined;
}

/** An unavailable store is a 503, which the page retries. */
export async function answerConsole(
  console: Console,
  { routeKey, pathParameters }: RouteMatch,
  { contentType, body, caller }: ConsoleRequest,
): Promise<HttpAnswer> {
  if (routeKey === consoleRoutes.state) return stateAnswer(console, caller);
  const { rotations } = console.parts;
  if (rotations === undefined) {
    return gatewayAnswer(404, 'There is no rotation here: the owner of the files replaces them.');
  }
  const identity = pathParameters?.identity ?? '';
  if (caller !== undefined && !caller.mayUse(identity)) {
    return gatewayAnswer(403, 'The caller may not use that identity.');
  }
  // A form on another page cannot send this content type. The Origin header is checked before this.
  if (!/^application\/json\s*(;|$)/i.test(contentType ?? '')) {
    return gatewayAnswer(415, 'To start a rotation, send content-type application/json.');
  }
  if (!isEmptyObject(body)) return gatewayAnswer(400, 'To start a rotation, send the body {}.');
  if ((await rotations.state(identity)) === undefined) return gatewayAnswer(404, 'There is no such identity.');
  const result = await rotations.begin(identity);
  console.forget(identity);
  return rotationAnswers[result];
}

async function stateAnswer(console: Console, caller: ConsoleCaller | undefined): Promise<HttpAnswer> {
  try {
    return json(200, await console.state(caller));
  } catch (thrown) {
    const { code, message } = asCountersignError(thrown);
    if (code !== 'identity-unavailable') throw thrown;
    return gatewayAnswer(503, message);
  }
}

const rotationAnswers = {
  begun: json(202, { rotation: 'begun' }),
  'under-way': gatewayAnswer(409, 'A rotation is already in progress.'),
  'not-set-up': gatewayAnswer(409, 'Rotation is not set up for this identity.'),
} as const;

function isEmptyObject(body: Buffer): boolean {
  return isUtf8(body) && /^\s*\{\s*\}\s*$/.test(body.toString('utf8'));
}

function json(status: number, content: object): HttpAnswer {
  const headers = [
    'content-type',
    'application/json',
    'cache-control',
    'no-store',
    'x-content-type-options',
    'nosniff',
  ];
  return { status, headers, body: JSON.stringify(content) };
}
