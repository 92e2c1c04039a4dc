import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { createAuthentication } from '../../../serve/auth/authentication.ts';
import { parseCallers } from '../../../serve/auth/callers.ts';
import { callersAuthority, newServerCertificate, newToken } from '../../support/serve/installation.ts';

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

it("refuses a caller's certificate that expires while its connection stands", async () => {
  const expiry = Date.now() + 3_600_000;
  const bot = callersAuthority.issue({ commonName: 'bot', usage: 'client', notAfter: new Date(expiry) });
  const byName = parseCallers(JSON.stringify([{ name: 'bot', commonName: 'bot', identities: '*' }]), 'callers.json');
  let now = Date.now();
  const authentication = createAuthentication(
    () => byName,
    () => now,
  );
  const { certificate: cert, privateKey: key } = newServerCertificate();
  const server = createServer({ cert, key, ca: callersAuthority.certificate, requestCert: true });
  server.on('connection', authentication.onConnection);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    cert: bot.certificate,
    key: bot.privateKey,
    rejectUnauthorized: false,
  });
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
  const request = { headers: {}, rawHeaders: [], socket } as unknown as IncomingMessage;
  expect(authentication.callerOf(request).name).toBe('bot');
  now = expiry + 1_000;
  expect(() => authentication.callerOf(request)).toThrow('has expired or is not valid yet');
  now = Date.now();
  expect(authentication.callerOf(request).name).toBe('bot');
});
