import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createAuthentication } from '../../../serve/auth/authentication.ts';
import { parseCallers } from '../../../serve/auth/callers.ts';
import { newToken } from '../../support/serve/installation.ts';

const callers = parseCallers(
  JSON.stringify([{ name: 'bot', tokenSha256: newToken().tokenSha256, identities: '*' }]),
  'callers.json',
);

const socket = () => Object.assign(new EventEmitter(), { remoteAddress: '127.0.0.1', remotePort: 4000 }) as Socket;

it('tells apart two connections with the same ports, whenever the first one emits close', () => {
  const authentication = createAuthentication(() => callers);
  const [first, second, third] = [socket(), socket(), socket()];
  authentication.onConnection(first);
  authentication.onConnection(second);
  first.emit('close');
  expect(authentication.isStale(second)).toBe(false);
  authentication.forgetCertificates();
  expect(authentication.isStale(second)).toBe(true);
  authentication.onConnection(third);
  second.emit('close');
  expect(authentication.isStale(third)).toBe(false);
});

it('tells apart connections from the same port to two addresses of the server', () => {
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
