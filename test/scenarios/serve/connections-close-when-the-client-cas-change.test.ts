// Connections of callers when the client CAs change: calls in flight are answered, then the connection closes.
import { Agent } from 'node:https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import {
  callersAuthority,
  newServerCertificate,
  serverAuthority,
  surroundings,
} from '../../support/serve/installation.ts';
import { ask, invoke, replaceFile, startServing } from '../../support/serve/serving.ts';

describe('a call in flight when the client CAs change', () => {
  it('is answered and closes its connection; the next call of the same caller succeeds', async () => {
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
