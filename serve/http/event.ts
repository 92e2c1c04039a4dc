// The event that a function of an installation of one's own is given: what the request says, and who calls.
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { toRequestEvent } from '../../listener/event.ts';
import type { RouteMatch } from '../../listener/route.ts';
import type { Caller } from '../auth/callers.ts';

export function eventOf(
  { method = '', url: target = '/', httpVersion, rawHeaders, headers, socket }: IncomingMessage,
  route: RouteMatch,
  body: Buffer,
  caller: Caller | undefined,
) {
  const event = toRequestEvent({ method, target, httpVersion, rawHeaders, body }, route, isUtf8);
  return {
    ...event,
    requestContext: {
      requestId: randomUUID(),
      routeKey: route.routeKey,
      stage: '$default',
      domainName: headers.host ?? '',
      timeEpoch: Date.now(),
      http: {
        method,
        path: event.rawPath,
        protocol: `HTTP/${httpVersion}`,
        sourceIp: socket.remoteAddress ?? '',
        userAgent: headers['user-agent'] ?? '',
      },
      ...(caller && { authorizer: { lambda: { caller: caller.name } } }),
    },
  };
}
