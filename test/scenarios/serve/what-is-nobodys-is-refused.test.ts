// Of the rooms alone: a route that is of no identity is nobody's, and a connection is known by both of its ends.
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createAuthentication } from '../../../serve/auth/authentication.ts';
import { parseCallers, requireAllowed } from '../../../serve/auth/callers.ts';
import { newToken } from '../../support/serve/installation.ts';

it('a route without an identity is refused to a caller who may use all of them', () => {
  const caller = { name: 'batch', identities: '*', metrics: false } as const;
  expect(() => requireAllowed(caller, { routeKey: 'POST /v1/operators', pathParameters: undefined } as never)).toThrow(
    expect.objectContaining({ code: 'caller-forbidden' }),
  );
});

it('a connection to another address of the server, from the same port, makes no stale one fresh', () => {
  const callers = parseCallers(
    JSON.stringify([{ name: 'a', tokenSha256: newToken().tokenSha256, identities: '*' }]),
    'callers.json',
  );
  const authentication = createAuthentication(() => callers);
  const connection = (localAddress: string) =>
    Object.assign(new EventEmitter(), {
      localAddress,
      localPort: 8443,
      remoteAddress: '10.0.0.9',
      remotePort: 50_000,
    }) as unknown as Socket;
  const [first, second] = [connection('10.0.0.1'), connection('10.0.0.2')];
  authentication.onConnection(first);
  authentication.forgetCertificates();
  authentication.onConnection(second);
  expect([authentication.isStale(first), authentication.isStale(second)]).toEqual([true, false]);
});
