// testSecret before real TLS servers: who rejects the new certificate holds it back, who rejects everything does not.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LookupFunction, lookUp } from '../../../core/destination/resolve.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { type CustomerApiOptions, destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { serveHandshakeKeyAlert } from '../../support/handshake-capture/handshake-key-alert.ts';
import { serveRecordsAfterTheHandshake } from '../../support/handshake-capture/records-after-the-handshake.ts';
import { record } from '../../support/handshake-capture/seal.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import {
  call,
  issuerThat,
  openPipeline,
  prefix,
  type StepEvent,
  signedBy,
} from '../../support/rotation/rotation-pipeline.ts';

/** The new certificate comes from another root than the current one: a customer trusts the old one, both, or none. */
async function changingRoots(renewal: object = {}) {
  const pipeline = await openPipeline();
  const { platformRoot, customerRoot } = pipeline.authorities;
  const newRoot = createAuthority({ commonName: 'New Platform Root' });
  const newIssuer = issuerThat(signedBy(newRoot));
  const trusts = {
    old: platformRoot.certificate,
    both: platformRoot.certificate + newRoot.certificate,
    new: newRoot.certificate,
    neither: customerRoot.certificate,
  };
  const api = (trusted: keyof typeof trusts, more: CustomerApiOptions = {}) =>
    startApi(pipeline.authorities, { ca: trusts[trusted], ...more });
  const at = (port: number, more: object = {}) =>
    destinationAt({ port }, pipeline.authorities, { host: 'localhost', ...more });
  async function goOn(): Promise<StepEvent> {
    const event = await pipeline.rotateSecret('platform');
    await pipeline.rotate(newIssuer)({ Step: 'createSecret', ...event }, call());
    return event;
  }
  return {
    pipeline,
    api,
    at,
    trusts,
    /** The identity with these destinations, its rotation gone as far as testSecret. */
    async begin(destinations: readonly object[], settings: object = {}, notAfter?: Date): Promise<StepEvent> {
      const issuer = { kind: 'local', url: pipeline.authority.url };
      const document = { destinations, renewal: { issuer, ...renewal, ...settings } };
      await pipeline.create('platform', pipeline.document(document, notAfter && { notAfter }));
      return goOn();
    },
    /** Signed by an unknown authority; the current certificate becomes AWSPREVIOUS. */
    async replaceCurrent(): Promise<void> {
      const stranger = createAuthority({ commonName: 'Unknown Platform Root' });
      const issued = stranger.issue({ commonName: 'bot-platform', usage: 'client' });
      const { privateKey, certificate, intermediates, root } = issued;
      const parts = { privateKey, certificate, intermediateCertificates: intermediates, rootCertificate: root };
      const SecretString = JSON.stringify({ ...(await pipeline.value('platform')), ...parts });
      await pipeline.client.send(new PutSecretValueCommand({ SecretId: `${prefix}platform`, SecretString }));
    },
    goOn,
    test: (event: StepEvent, remainingMs?: number) =>
      pipeline.rotate()({ Step: 'testSecret', ...event }, call(remainingMs)),
  };
}

describe('a destination', () => {
  it('that trusts the new certificate accepts it in a handshake and the probe', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots();
    const customer = await api('both');
    const event = await begin([
      at(customer.port, { probe: { path: '/health' } }),
      { host: '*' },
      { host: '*.acme.example' },
    ]);
    await test(event);
    expect(pipeline.lines.at(-1)).toMatchObject({
      outcome: 'tested',
      accepted: 1,
      rejected: 0,
      untested: 0,
      sayNothing: 0,
    });
    expect(customer.connections.map(({ requests }) => requests.map(({ url }) => url))).toEqual([['/health']]);
    await pipeline.rotate()({ Step: 'finishSecret', ...event }, call());
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'that rejects the new one over %s blocks it, and the event names the destination',
    async (version) => {
      const { pipeline, api, at, begin, test, trusts } = await changingRoots();
      const [trusting, rejecting] = [await api('both'), await api('old', { minVersion: version, maxVersion: version })];
      const event = await begin([at(trusting.port), at(rejecting.port)]);
      const before = await pipeline.value('platform');
      const failure = await failureOf(() => test(event));
      expect(failure).toMatchObject({
        code: 'new-certificate-rejected',
        evidence: {
          rejectedBy: 1,
          destinations: [`localhost:${rejecting.port}`],
          step: 5,
          reason: 'client-certificate-rejected',
        },
      });
      expect(failure.message).toContain(`localhost:${rejecting.port}`);
      const [told] = pipeline.bus.events;
      expect(told).toMatchObject({
        detailType: 'Certificate Rejected',
        detail: {
          identity: 'platform',
          version: event.ClientRequestToken,
          onRejection: 'block',
          newRoot: true,
          rejectedByCount: 1,
          rejectedBy: [{ host: 'localhost', port: rejecting.port, step: 5, reason: 'client-certificate-rejected' }],
        },
      });
      expect(pipeline.lines.at(-1)).toMatchObject({
        accepted: 1,
        rejected: 1,
        code: 'new-certificate-rejected',
        RotationStepFailures: 1,
      });
      expect(await pipeline.value('platform')).toEqual(before);
      // Once the customer trusts it, the same rotation goes on.
      rejecting.trust(trusts.both);
      await test(event);
    },
  );

  it('that rejects the new one does not stop a rotation with onRejection proceed', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots({ onRejection: 'proceed' });
    const customer = await api('old');
    const event = await begin([at(customer.port)]);
    await test(event);
    expect(pipeline.lines.at(-1)).toMatchObject({
      outcome: 'tested',
      rejected: 1,
      rejectedBy: [`localhost:${customer.port}`],
    });
    expect(pipeline.bus.events[0]).toMatchObject({
      detailType: 'Certificate Rejected',
      detail: { onRejection: 'proceed' },
    });
    await pipeline.rotate()({ Step: 'finishSecret', ...event }, call());
    expect((await pipeline.stages('platform'))[event.ClientRequestToken]).toEqual(['AWSCURRENT']);
  });

  it('that answers the probe of the new one with another status blocks it', async () => {
    const { api, at, begin, test, pipeline } = await changingRoots();
    const customer = await api('both');
    const event = await begin([at(customer.port, { probe: { path: '/' } })]);
    const known = new X509Certificate((await pipeline.value('platform')).certificate).fingerprint256;
    customer.answerWith((_, response, { fingerprint256 }) => {
      response.writeHead(fingerprint256 === known ? 200 : 401).end();
    });
    expect(await failureOf(() => test(event))).toMatchObject({
      code: 'new-certificate-rejected',
      evidence: { reason: 'probe-unexpected-status', step: 5 },
    });
  });

  it('that rejects the current one too, is down, or is not trusted is inconclusive', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots();
    const [strange, gone] = [await api('neither'), await closedPort()];
    const event = await begin([
      at(strange.port),
      at(gone),
      { ...at((await api('both')).port), serverRoots: createAuthority({ commonName: 'Another' }).certificate },
      { ...at((await api('both')).port), network: 'public' },
    ]);
    await test(event);
    expect(pipeline.lines.at(-1)).toMatchObject({
      outcome: 'tested',
      accepted: 0,
      rejected: 0,
      untested: 0,
      sayNothing: 4,
    });
    expect(pipeline.bus.events).toEqual([]);
  });

  it('that rejects the new one does not block if the current one has expired', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots();
    const event = await begin([at((await api('neither')).port)], {}, new Date(Date.now() - 86_400_000));
    await test(event);
    expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'tested', sayNothing: 1 });
  });

  it('that accepts only the new one does not block', async () => {
    const { api, at, begin, test } = await changingRoots();
    await test(await begin([at((await api('new')).port)]));
  });

  it('that could not be tested in time blocks the new one, unless onRejection is proceed', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots();
    const customer = await api('both');
    const event = await begin([at(customer.port)]);
    const failure = await failureOf(() => test(event, 5_000));
    expect(failure).toMatchObject({
      code: 'new-certificate-untested',
      evidence: { untested: 1, destinations: [`localhost:${customer.port}`] },
    });
    expect(pipeline.bus.events).toEqual([]);
    expect(customer.arrived).toBe(0);
    await test(event);
  });

  it('that stalls in the handshake with the new one, and not with the current one, is tried again and then untested', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots();
    const customer = await api('both');
    let connections = 0;
    // A server that is being deployed: two connections end before their handshake, then one comes through. A diagnosis
    // makes a second connection if the first ends there.
    const door = createServer((socket) => {
      connections += 1;
      if (connections % 3 !== 0) return socket.destroy();
      const upstream = connect(customer.port, '127.0.0.1');
      socket
        .on('error', () => {})
        .pipe(upstream)
        .on('error', () => {})
        .pipe(socket);
      return undefined;
    });
    const port = await listen(door);
    const event = await begin([at(port)]);
    expect(await failureOf(() => test(event))).toMatchObject({ code: 'new-certificate-untested' });
    // Two with the new one, one with the current one, and two with the new one again.
    expect(connections).toBe(5);
    // Now the first connection of the test is the one that comes through.
    await test(event);
    expect(pipeline.lines.at(-1)).toMatchObject({ accepted: 1 });
  });

  it('that drops the first connections and then accepts both is no rejection of the new one', async () => {
    const { pipeline, api, at, begin, test } = await changingRoots();
    const customer = await api('both');
    let connections = 0;
    const door = createServer((socket) => {
      connections += 1;
      if (connections <= 2) return socket.destroy();
      const upstream = connect(customer.port, '127.0.0.1');
      socket
        .on('error', () => {})
        .pipe(upstream)
        .on('error', () => {})
        .pipe(socket);
      return undefined;
    });
    await test(await begin([at(await listen(door))]));
    // Twice the new one, the current one, and the new one again: as good as the current one.
    expect(connections).toBe(4);
    expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'tested', accepted: 1, rejected: 0, untested: 0 });
    expect(pipeline.bus.events).toEqual([]);
  });
});

describe('a destination that is served with AWSPREVIOUS', () => {
  /** Created with a certificate that customers know; then one becomes current that none of them knows. */
  async function servedWithPrevious(
    renewal: object,
    apis: readonly ('old' | 'both' | 'neither')[],
    settings: { notAfter?: Date; tls?: object } = {},
  ) {
    const roots = await changingRoots(renewal);
    const { pipeline, api, at } = roots;
    const { notAfter, tls } = settings;
    const customers = await Promise.all(apis.map((trusted) => api(trusted, tls)));
    const issuer = { kind: 'local', url: pipeline.authority.url };
    const document = { destinations: customers.map(({ port }) => at(port)), renewal: { issuer, ...renewal } };
    await pipeline.create('platform', pipeline.document(document, notAfter && { notAfter }));
    await roots.replaceCurrent();
    return { ...roots, customers };
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'and rejects the new certificate over %s blocks it, because it would lose access',
    async (version) => {
      const tls = { minVersion: version, maxVersion: version };
      const { pipeline, goOn, test, customers } = await servedWithPrevious({}, ['old'], { tls });
      const place = `localhost:${customers[0]?.port}`;
      const event = await goOn();
      const before = await pipeline.stages('platform');
      const failure = await failureOf(() => test(event));
      expect(failure).toMatchObject({
        code: 'new-certificate-rejected',
        evidence: { rejectedBy: 1, destinations: [place], step: 5 },
      });
      expect(failure.message).toContain(`Only AWSPREVIOUS, which the rotation replaces, is accepted by ${place}.`);
      expect(pipeline.bus.events[0]?.detail.rejectedBy).toMatchObject([{ host: 'localhost', takes: 'AWSPREVIOUS' }]);
      expect(await pipeline.stages('platform')).toEqual(before);
    },
  );

  it('is announced where the rotation is to proceed', async () => {
    const { pipeline, goOn, test, customers } = await servedWithPrevious({ onRejection: 'proceed' }, ['old']);
    await test(await goOn());
    expect(pipeline.lines.at(-1)).toMatchObject({
      outcome: 'tested',
      rejected: 1,
      rejectedBy: [`localhost:${customers[0]?.port}`],
    });
    expect(pipeline.bus.events[0]).toMatchObject({
      detailType: 'Certificate Rejected',
      detail: { onRejection: 'proceed', rejectedBy: [{ takes: 'AWSPREVIOUS' }] },
    });
  });

  it('and accepts the new one does not block; one that rejects all three is inconclusive', async () => {
    const { pipeline, goOn, test } = await servedWithPrevious({}, ['both', 'neither']);
    await test(await goOn());
    expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'tested', accepted: 1, rejected: 0, sayNothing: 1 });
  });

  it('does not block if AWSPREVIOUS has expired, or has the certificate of AWSCURRENT', async () => {
    const one = await servedWithPrevious({}, ['old'], { notAfter: new Date(Date.now() - 86_400_000) });
    await one.test(await one.goOn());
    expect(one.pipeline.lines.at(-1)).toMatchObject({ outcome: 'tested', sayNothing: 1 });

    const other = await servedWithPrevious({}, ['old']);
    const SecretString = JSON.stringify({ ...(await other.pipeline.value('platform')), owner: 'payments' });
    await other.pipeline.client.send(new PutSecretValueCommand({ SecretId: `${prefix}platform`, SecretString }));
    const asked = other.customers[0]?.arrived;
    await other.test(await other.goOn());
    expect(other.pipeline.lines.at(-1)).toMatchObject({ outcome: 'tested', sayNothing: 1 });
    expect(other.customers[0]?.arrived).toBe(Number(asked) + 2);
  });
});

describe.skipIf(!findPeer('nginx'))('a real nginx (needs nginx)', () => {
  it.each([
    ['with a probe, by the page that it answers', { probe: { path: '/' } }, 5, 'client-certificate-rejected'],
    ['without a probe, by the authorities that it accepts', {}, 4, 'client-issuer-not-accepted'],
  ])(
    'that trusts only the old issuer is reported as %s; one that trusts both does not block',
    async (_, probe, step, reason) => {
      const { pipeline, at, begin, test, trusts } = await changingRoots();
      const [old, both] = [
        await startNginx(newServer(pipeline.authorities), { clientRoots: trusts.old }),
        await startNginx(newServer(pipeline.authorities), { clientRoots: trusts.both }),
      ];
      const event = await begin([at(old.port, probe), at(both.port, probe)]);
      expect(await failureOf(() => test(event))).toMatchObject({
        code: 'new-certificate-rejected',
        evidence: { rejectedBy: 1, destinations: [`localhost:${old.port}`], step, reason },
      });
      expect(pipeline.lines.at(-1)).toMatchObject({ accepted: 1, rejected: 1 });
    },
  );
});

it('is untested, not skipped, if hanging lookups of other names use all slots', async () => {
  const { pipeline, api, at, begin } = await changingRoots();
  const customer = await api('old');
  const lookup: LookupFunction = (host) =>
    host === 'rejects.test' ? Promise.resolve([{ address: '127.0.0.1' }]) : new Promise(() => {});
  const event = await begin([at(customer.port, { host: 'rejects.test', serverName: 'localhost' })]);
  const test = () => pipeline.rotate({ lookup })({ Step: 'testSecret', ...event }, call());
  expect((await failureOf(test)).code).toBe('new-certificate-rejected');
  // As other destinations of the same test leave them behind.
  for (let index = 0; index < 24; index++) void lookUp(`hangs-${index}.test`, `identity-${index}`, lookup);
  expect(await failureOf(test)).toMatchObject({
    code: 'new-certificate-untested',
    evidence: { destinations: [`rejects.test:${customer.port}`] },
  });
});

it('a destination that refuses under the key of the handshake, as mbedTLS does, rejects it without a probe', async () => {
  const { pipeline, at, begin, test, trusts } = await changingRoots();
  const { customerRoot } = pipeline.authorities;
  const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const { port } = await serveHandshakeKeyAlert(server, trusts.old, 48);
  const event = await begin([at(port)]);
  expect(await failureOf(() => test(event))).toMatchObject({
    code: 'new-certificate-rejected',
    evidence: { destinations: [`localhost:${port}`], step: 5, reason: 'client-certificate-rejected' },
  });
});

it('a destination that sends unreadable records to it after session tickets rejects it without a probe', async () => {
  const { pipeline, at, begin, test } = await changingRoots();
  const server = pipeline.authorities.customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const { port } = await serveRecordsAfterTheHandshake(server, {
    tickets: true,
    trusts: ({ issuer }) => !issuer.includes('New Platform Root'),
    records: () => record(23, Buffer.alloc(64, 0xaa)),
  });
  const event = await begin([at(port)]);
  expect(await failureOf(() => test(event))).toMatchObject({
    code: 'new-certificate-rejected',
    evidence: { destinations: [`localhost:${port}`], step: 5, reason: 'response-incomplete' },
  });
});

/** PEM: an authority whose name has as many characters as X.520 lets nine attributes have. */
function ofLongName(index: number): string {
  const subject = `/CN=${index}${'/OU='.concat('証'.repeat(64)).repeat(8)}`;
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', '/dev/null'];
  const args = ['req', '-x509', '-utf8', '-subj', subject, ...key];
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
}

it('publishes sixty rejections in one event within the size limit, however long their names are', async () => {
  const { pipeline, api, at, begin, trusts } = await changingRoots();
  const named = [...Array.from({ length: 5 }, (_, index) => ofLongName(index)), trusts.old];
  const { port } = await api('old', { ca: named, rejectUnauthorized: false });
  const hosts = Array.from({ length: 60 }, (_, index) => `h${index}.localhost`);
  const event = await begin(hosts.map((host) => at(port, { host, serverName: 'localhost' })));
  const lookup: LookupFunction = async () => [{ address: '127.0.0.1', family: 4 }];
  const failure = await failureOf(() => pipeline.rotate({ lookup })({ Step: 'testSecret', ...event }, call(120_000)));
  expect(failure).toMatchObject({
    code: 'new-certificate-rejected',
    evidence: { reason: 'client-issuer-not-accepted' },
  });
  const [told] = pipeline.bus.events;
  expect(told?.detail.rejectedBy).toHaveLength(60);
  expect(told?.detail.newRoot).toBe(true);
  expect(Buffer.byteLength(JSON.stringify(told?.detail))).toBeLessThan(256 * 1024);
});

it('tries many destinations side by side', async () => {
  const { pipeline, api, at, begin, test } = await changingRoots();
  const customers = await Promise.all(Array.from({ length: 20 }, () => api('both')));
  await test(await begin(customers.map(({ port }) => at(port))));
  expect(pipeline.lines.at(-1)).toMatchObject({ accepted: 20 });
  for (const { connections } of customers) expect(connections).toHaveLength(1);
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
