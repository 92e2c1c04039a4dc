// A server that restarts closes connections too: one close is no reason to go back to the certificate before.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Answering, startApi } from '../../support/connections/customer-api.ts';
import { newClient } from '../../support/connections/platform.ts';
import { authorities, rotated, url, versions } from '../../support/invocation/not-yet-trusted.ts';

describe.each(versions)('over %s, a server that accepts AWSCURRENT', (maxVersion) => {
  /** Closes the next `drops.left` connections at their first request. */
  async function dropping(answer: Answering = (_request, response) => response.end('{}')) {
    const drops = { left: 0 };
    const api = await startApi(authorities, {
      maxVersion,
      answer(request, response, connection) {
        if (drops.left > 0) {
          drops.left--;
          request.socket.destroy();
        } else answer(request, response, connection);
      },
    });
    return { api, drops };
  }

  it('and drops one connection is called with it again, also by later calls', async () => {
    const { api, drops } = await dropping();
    const { platform, othersRead } = rotated(api, { v2: { client: newClient(authorities) } });
    drops.left = 1;
    const first = await platform.call({ url: url(api) });
    const second = await platform.call({ url: url(api), method: 'POST' });
    for (const { body } of [first, second]) {
      expect(body).toMatchObject({ status: 200, handshake: { client: { version: 'v2', stage: 'AWSCURRENT' } } });
    }
    expect(platform.attempts()).toEqual([2, 1]);
    // It was asked for, and not presented.
    expect(othersRead()).toEqual(['AWSPREVIOUS']);
    expect(platform.stage.fallback.size).toBe(0);
    // The alarm for rejected certificates stays quiet.
    expect(platform.stage.lines[0]).not.toHaveProperty('rejections');
    expect(platform.stage.lines[0]).not.toHaveProperty('PreviousCertificateUsed');
  });

  it.each([401, 403])(
    'by its fingerprint, and drops two connections, does not get AWSPREVIOUS for ten minutes: %i',
    async (status) => {
      const client = newClient(authorities);
      const { fingerprint256 } = new X509Certificate(client.certificate);
      const { api, drops } = await dropping((_request, response, connection) => {
        response.statusCode = connection.fingerprint256 === fingerprint256 ? 200 : status;
        response.end('{}');
      });
      const { platform } = rotated(api, { v2: { client } });
      drops.left = 2;
      await platform.call({ url: url(api) });
      // AWSPREVIOUS was presented, and what the application said of it is not remembered.
      expect(api.connections.map((one) => one.fingerprint256 === fingerprint256)).toEqual([true, true, false]);
      expect(platform.stage.fallback.size).toBe(0);
      for (const method of ['GET', 'POST']) {
        const { body } = await platform.call({ url: url(api), method });
        expect(body).toMatchObject({ status: 200, handshake: { client: { version: 'v2' } } });
      }
    },
  );

  it('a server that is down at the second attempt is reported as unreachable, not as a rejection', async () => {
    const { api } = await dropping();
    const { platform } = rotated(api, { v2: { client: newClient(authorities) } });
    api.answerWith((request) => {
      api.stopListening();
      request.socket.destroy();
    });
    const { body } = await platform.call({ url: url(api) });
    expect(body.code).toBe('connection-refused');
    expect(platform.stage.lines[0]).not.toHaveProperty('rejections');
  });

  it('but whose application closes on it, each time and behind a session, is called with AWSPREVIOUS', async () => {
    const client = newClient(authorities);
    const { fingerprint256 } = new X509Certificate(client.certificate);
    const api = await startApi(authorities, {
      maxVersion,
      answer(request, response, connection) {
        if (connection.fingerprint256 === fingerprint256) request.socket.destroy();
        else response.end('{}');
      },
    });
    const { platform } = rotated(api, { v2: { client } });
    for (const method of ['GET', 'POST']) {
      const { body } = await platform.call({ url: url(api), method });
      expect(body).toMatchObject({ status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } });
    }
    expect(platform.attempts()).toEqual([3, 1]);
    expect(platform.stage.lines[0]).toMatchObject({ rejections: 2 });
  });
});
