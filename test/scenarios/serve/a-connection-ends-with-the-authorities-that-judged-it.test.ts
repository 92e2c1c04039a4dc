// Connections of callers when the authorities change: none is answered 401 for ever, and none is taken for another.
import { EventEmitter } from 'node:events';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { createAuthentication } from '../../../serve/auth/authentication.ts';
import { parseCallers } from '../../../serve/auth/callers.ts';
import {
  callersAuthority,
  newServerCertificate,
  newToken,
  serverAuthority,
  surroundings,
} from '../../support/serve/installation.ts';
import { ask, invoke, replaceFile, startServing } from '../../support/serve/serving.ts';

describe('a call in flight when the authorities change', () => {
  it('is answered and ends its connection, and the next call of the same caller is answered, too', async () => {
    const { identities, folder, api, target } = await surroundings();
    const server = newServerCertificate();
    const clientCa = folder.write('ca.crt', callersAuthority.certificate);
    const serving = await startServing({
      identities,
      workers: '1',
      tlsCert: folder.write('tls.crt', server.certificate),
      tlsKey: folder.write('tls.key', server.privateKey),
      clientCa,
      callers: folder.write('callers.json', JSON.stringify([{ name: 'bot', commonName: 'bot', identities: '*' }])),
    });
    const { certificate, privateKey } = callersAuthority.issue({ commonName: 'bot', usage: 'client' });
    const shown = { cert: certificate, key: privateKey, ca: serverAuthority.certificate };
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...shown });
    onTestFinished(() => agent.destroy());
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const inFlight = invoke(serving.url, target, { agent });
    const release = await arrived.promise;
    replaceFile(clientCa, callersAuthority.certificate + createAuthority({ commonName: 'Others' }).certificate);
    await serving.line(({ message }) => message === 'files taken up');
    release();
    const { status, headers } = await inFlight;
    expect([status, headers.connection]).toEqual([200, 'close']);
    for (let n = 0; n < 3; n++) {
      const next = await ask(serving.url, '/v1/identities/platform/certificate', { agent });
      expect([next.status, next.headers.connection]).toEqual([200, 'keep-alive']);
    }
  });
});

describe('a connection from a port that another was reset on', () => {
  const callers = parseCallers(
    JSON.stringify([{ name: 'bot', tokenSha256: newToken().tokenSha256, identities: '*' }]),
    'callers.json',
  );
  const socket = () => Object.assign(new EventEmitter(), { remoteAddress: '127.0.0.1', remotePort: 4000 }) as Socket;

  it('is judged by itself, whenever the end of the other is told', () => {
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
});
