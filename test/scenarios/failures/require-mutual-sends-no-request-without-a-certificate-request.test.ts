// Step 4: with requireMutual, a server that does not ask for a client certificate gets not one byte of the request.
import { describe, expect, it } from 'vitest';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const secret = { requireMutual: true, method: 'POST', body: 'a secret body' };

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  const neverAsks = () =>
    serveHttps(trial.server, (socket) => socket.write(ok), { requestCert: false, maxVersion, minVersion: maxVersion });

  it('requireMutual of the request applies', async () => {
    const server = await neverAsks();
    const problem = await trial.fails('client-certificate-not-requested', server.port, { request: secret });
    expect(problem.evidence).toEqual({ protocol: maxVersion });
    expect(server.received()).toBe('');
  });

  it('requireMutual of the destination applies, whatever the request contains', async () => {
    const server = await neverAsks();
    await trial.fails('client-certificate-not-requested', server.port, {
      destination: { requireMutual: true },
      request: { ...secret, requireMutual: false },
    });
    expect(server.received()).toBe('');
  });

  it('a connection that was opened without requireMutual is not reused', async () => {
    const server = await neverAsks();
    const without = await trial.call(server.port);
    expect(without.body).toMatchObject({ status: 200, body: 'ok' });
    const withDemand = await trial.again(secret);
    expect(withDemand.body.code).toBe('client-certificate-not-requested');
    expect(server.received()).not.toContain('secret body');
  });

  it('a server that requests the certificate gets the call on new, reused and resumed connections', async () => {
    let end = '';
    const answer = () => `HTTP/1.1 200 OK\r\n${end}content-length: 2\r\n\r\nok`;
    const server = await serveHttps(trial.server, (socket) => socket.write(answer()), { maxVersion });
    const connections = [await trial.call(server.port, { request: secret })];
    end = 'connection: close\r\n';
    connections.push(await trial.again(secret), await trial.again(secret));
    expect(connections.map(({ body }) => body.handshake?.connection)).toEqual(['new', 'reused', 'resumed']);
  });
});

describe.skipIf(!findPeer('openssl'))('with openssl as the server (needs openssl)', () => {
  it.each(['-tls1_2', '-tls1_3'])(
    'no request is sent to a server that does not request the certificate (%s)',
    async (version) => {
      const server = await startOpenssl(trial.server, { page: false, args: [version] });
      await trial.fails('client-certificate-not-requested', server.port, { request: secret });
      await server.program.stop();
      expect(server.program.output()).not.toMatch(/POST|secret body/);
    },
  );

  it('a server that accepts no signature algorithm of our key causes the same error', async () => {
    const args = ['-verify', '3', '-client_sigalgs', 'ECDSA+SHA1', '-cipher', 'DEFAULT:@SECLEVEL=0'];
    const { port } = await startOpenssl(trial.server, { args });
    const problem = await trial.fails('client-certificate-not-requested', port, {
      destination: { maxTlsVersion: 'TLSv1.2' },
      request: { requireMutual: true },
    });
    expect(problem.detail).toMatch(/did not ask .+, or accepts no signature algorithm of the identity’s key/);
  });

  it.each(['-tls1_2', '-tls1_3'])(
    'a server that requests the certificate without requiring it is enough (%s)',
    async (version) => {
      const server = await startOpenssl(trial.server, {
        clientRoots: trial.platformRoot.certificate,
        args: [version, '-verify', '5'],
      });
      const reply = await trial.call(server.port, { request: { requireMutual: true } });
      expect(reply.body).toMatchObject({ status: 200 });
      expect(reply.body.body).toContain('Client certificate');
    },
  );
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a server that requests the certificate gets the call over %s',
  (maxTlsVersion) => {
    const clientRoots = trial.platformRoot.certificate;
    const demand = { destination: { maxTlsVersion }, request: { requireMutual: true } };

    it.skipIf(!findPeer('openssl'))('openssl (needs openssl)', async () => {
      const { port } = await startOpenssl(trial.server, { clientRoots });
      const { body } = await trial.call(port, demand);
      expect(body).toMatchObject({ status: 200, handshake: { protocol: maxTlsVersion, connection: 'new' } });
    });

    it.skipIf(!findPeer('nginx'))('nginx, on a new, a reused and a resumed connection (needs nginx)', async () => {
      const { port } = await startNginx(trial.server, { clientRoots, directives: 'keepalive_requests 2;' });
      const first = await trial.call(port, demand);
      const replies = [first, await trial.again({ requireMutual: true }), await trial.again({ requireMutual: true })];
      expect(replies.map(({ body }) => body.status)).toEqual([200, 200, 200]);
      expect(first.body.handshake).toMatchObject({ protocol: maxTlsVersion, connection: 'new' });
      expect(replies[1]?.body.handshake?.connection).toBe('reused');
    });
  },
);

describe.skipIf(!findPeer('nginx'))('with nginx as the server (needs nginx)', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'no request is sent to a server that does not request the certificate (%s)',
    async (maxTlsVersion) => {
      const server = await startNginx(trial.server, {});
      await trial.fails('client-certificate-not-requested', server.port, {
        destination: { maxTlsVersion },
        request: { requireMutual: true },
      });
    },
  );
});
