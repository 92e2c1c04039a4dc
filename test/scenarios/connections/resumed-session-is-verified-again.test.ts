// Nothing of a server is on the wire when a session is resumed: dates, name and pins are checked against what it began
// with.
import { X509Certificate } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newRequestAttempt } from '../../../core/tls/attempt.ts';
import { type HandshakeOptions, performHandshake } from '../../../core/tls/handshake.ts';
import { type Ticket, ticketStore } from '../../../core/tls/session-tickets.ts';
import { pinOf } from '../../../core/x509/certificate.ts';
import { destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { handshakeOptions } from '../../support/connections/handshake-options.ts';
import { newClient, openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const { customerRoot } = authorities;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const day = 86_400_000;
const names = ['*.acme.example'];

function pin(certificate: string): string {
  return pinOf(new X509Certificate(certificate));
}

/** A pool without calls for days would be evicted together with its sessions. */
const poolLimits = { maxConnections: 100, maxAgents: 100, maxIdleMs: 1e12, sweepEveryMs: 1e9 };

describe.each(versions)('over %s', (maxVersion) => {
  it('a session is not resumed after its certificate expired: the server must show its current certificate', async () => {
    const first = customerRoot.issue({ commonName: 'first', names, notAfter: new Date(Date.now() + 2 * day) });
    const second = customerRoot.issue({ commonName: 'second', names, notAfter: new Date(Date.now() + 9 * day) });
    const expired = customerRoot.issue({ commonName: 'expired', names, notAfter: new Date(Date.now() - 1) });
    const api = await startApi(authorities, { server: first, maxVersion });
    const platform = openPlatform(authorities, { poolLimits });
    // The client certificate must outlive the clock of this test.
    const destinations = [destinationAt(api, authorities)];
    platform.publish('v1', { destinations });
    const url = `https://api.acme.example:${api.port}/`;
    const kindAndSubject = async () => {
      await api.closeConnections();
      const { body } = await platform.call({ url });
      return body.code ?? `${body.handshake.connection} ${body.handshake.server.subject}`;
    };

    expect(await kindAndSubject()).toBe('new CN=first');
    api.present(second);
    expect(await kindAndSubject()).toBe('resumed CN=first');
    platform.clock.aheadMs = 3 * day;
    expect(await kindAndSubject()).toBe('new CN=second');
    api.present(expired);
    expect(await kindAndSubject()).toBe('resumed CN=second');
    platform.clock.aheadMs = 10 * day;
    expect(await kindAndSubject()).toBe('server-certificate-expired');
  });

  it('a session is not resumed after the first certificate of its chain, leaf or issuer, has expired', async () => {
    const issuer = customerRoot.intermediate({ commonName: 'issuer', notAfter: new Date(Date.now() + 2 * day) });
    const api = await startApi(authorities, { server: issuer.issue({ commonName: 'api', names }), maxVersion });
    const platform = openPlatform(authorities, { poolLimits });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const request = { url: `https://api.acme.example:${api.port}/` };
    await platform.call(request);
    await api.closeConnections();
    expect((await platform.call(request)).body.handshake.connection).toBe('resumed');
    await api.closeConnections();
    platform.clock.aheadMs = 3 * day;
    expect((await platform.call(request)).body.handshake.connection).toBe('new');
  });

  it.each(['leaf', 'issuer', 'root'] as const)('a pin of the %s is checked on resumed sessions', async (pinned) => {
    const issuer = customerRoot.intermediate({ commonName: 'issuer' });
    const server = issuer.issue({ commonName: 'api', names });
    const api = await startApi(authorities, { server, maxVersion });
    const platform = openPlatform(authorities);
    const certificate = { leaf: server.certificate, issuer: issuer.certificate, root: customerRoot.certificate }[
      pinned
    ];
    platform.publish('v1', { destinations: [destinationAt(api, authorities, { serverPins: [pin(certificate)] })] });
    const kinds: string[] = [];
    for (let call = 0; call < 3; call++) {
      const { body } = await platform.call({ url: `https://api.acme.example:${api.port}/` });
      kinds.push(body.code ?? body.handshake.connection);
      await api.closeConnections();
    }
    expect(kinds).toEqual(['new', 'resumed', 'resumed']);
  });

  it.each([
    ['pins', { serverPins: [pin(newClient(authorities).certificate)] }, 'server-certificate-pin-mismatch'],
    ['server name', { serverName: 'api.other.example' }, 'server-certificate-name-mismatch'],
    ['roots', { serverRoots: createAuthorities().customerRoot.certificate }, 'server-certificate-untrusted'],
  ])(
    'a version with other %s does not rely on the verification of the previous version',
    async (_what, members, code) => {
      const api = await startApi(authorities, { maxVersion });
      const platform = openPlatform(authorities);
      const request = { url: `https://api.acme.example:${api.port}/` };
      platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
      expect((await platform.call(request)).statusCode).toBe(200);
      platform.publish('v2', { destinations: [destinationAt(api, authorities, members)] });
      await platform.stage.identities.reload('platform');
      expect((await platform.call(request)).body.code).toBe(code);
      expect(api.connections.flatMap(({ requests }) => requests)).toHaveLength(1);
    },
  );

  describe('with a stored ticket', () => {
    it.each([
      ['pins', { serverPins: [pin(newClient(authorities).certificate)] }, 'server-certificate-pin-mismatch'],
      ['name', { serverName: 'api.other.example' }, 'server-certificate-name-mismatch'],
    ])('other %s are checked although the session is resumed', async (_what, change, code) => {
      const { terms, ticket, shake } = await begun(maxVersion);
      const outcome = shake({ ...terms, destination: { ...terms.destination, ...change } }, [ticket]);
      await expect(outcome).rejects.toMatchObject({ code });
    });

    it('requireMutual fails on a session in which the server did not request the certificate', async () => {
      const { terms, ticket, shake } = await begun(maxVersion);
      const outcome = shake({ ...terms, requireMutual: true }, [{ ...ticket, asked: false }]);
      await expect(outcome).rejects.toMatchObject({ code: 'client-certificate-not-requested' });
    });

    it('the certificate of another server is not accepted for the session', async () => {
      const { terms, ticket, shake } = await begun(maxVersion);
      const other = new X509Certificate(newServer(authorities).certificate);
      const { handshake } = await shake(terms, [{ ...ticket, chain: [other] }]);
      expect(handshake.resumed).toBe(false);
      expect(handshake.server.fingerprint256).toBe(ticket.chain[0].fingerprint256);
    });

    it('an invalid session, or one of another server, leads to a full handshake', async () => {
      const { terms, ticket, shake } = await begun(maxVersion);
      const elsewhere = await begun(maxVersion);
      const forged = [
        Buffer.alloc(0),
        Buffer.from('no session'),
        Buffer.concat([Buffer.from('no session'), ticket.chain[0].raw]),
        ticket.session.subarray(0, -1),
        Buffer.concat([ticket.session, Buffer.alloc(4)]),
        elsewhere.ticket.session,
      ];
      for (const session of forged) {
        const outcome = await shake(terms, [{ ...ticket, session }]).then(
          ({ handshake }) => (handshake.resumed ? 'resumed' : handshake.server.fingerprint256),
          (error: { code: string }) => error.code,
        );
        // OpenSSL may read a session with something behind it, which is then still this server's.
        if (outcome !== 'resumed') expect(outcome).toBe(ticket.chain[0].fingerprint256);
        else expect(session.subarray(0, ticket.session.length)).toEqual(ticket.session);
      }
    });
  });
});

/** A server, and the ticket of a first handshake with it. */
async function begun(maxVersion: (typeof versions)[number]) {
  const api = await startApi(authorities, {
    maxVersion,
    answer: (_request, response) => response.setHeader('connection', 'close').end(),
  });
  const client = newClient(authorities);
  const context = createSecureContext({
    ca: customerRoot.certificate,
    cert: client.certificate + client.intermediates,
    key: client.privateKey,
  });
  const terms = handshakeOptions('api.acme.example', context, { serverRoots: customerRoot.certificate });
  let kept: Ticket | undefined;
  const shake = async (as: HandshakeOptions, tickets: readonly Ticket[]) => {
    const store = ticketStore();
    for (const ticket of tickets) store.keep(ticket);
    const socket = await connected(api.port);
    const keep = (ticket: Ticket) => {
      kept ??= ticket;
    };
    const done = await performHandshake(socket, as, newRequestAttempt(), { ...store, keep });
    done.socket.end('GET / HTTP/1.1\r\nhost: api.acme.example\r\n\r\n');
    await new Promise((resolve) => done.socket.resume().once('close', resolve));
    return done;
  };
  await shake(terms, []);
  if (!kept) throw new Error('The server sent no ticket.');
  return { terms, ticket: kept, shake };
}

function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)));
}
