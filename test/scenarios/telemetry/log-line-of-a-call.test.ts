// The line that a call leaves, whole: an answer, a rejection, and calls that needed a second connection.
import { describe, expect, it } from 'vitest';
import { metricsNamespace } from '../../../core/settings.ts';
import { destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { newClient, openPlatform, type Platform } from '../../support/connections/platform.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
/** Issued by an authority that the customer does not trust. */
const stranger = createAuthorities();
const clientRoots = authorities.platformRoot.certificate;
const url = ({ port }: { readonly port: number }) => `https://api.acme.example:${port}/accounts?id=1`;
const count = (Name: string) => ({ Name, Unit: 'Count' });

/** What every line of these has; variable numbers are only checked to be numbers. */
function lineOf(port: number, level: string, connections: readonly string[], failedBy?: readonly string[][]) {
  const number = expect.any(Number);
  const metrics = [count('Invocations'), { Name: 'totalMs', Unit: 'Milliseconds' }, ...connections.map(count)];
  const failures = { Namespace: metricsNamespace, Dimensions: failedBy, Metrics: [count('Failures')] };
  return {
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    level,
    message: 'invocation',
    requestId: expect.stringMatching(/^request-/),
    identity: 'platform',
    method: 'GET',
    requestBytes: 0,
    host: 'api.acme.example',
    port,
    protocol: 'TLSv1.3',
    connection: 'new',
    totalMs: number,
    timings: {
      identityMs: number,
      dnsMs: number,
      connectMs: number,
      tlsMs: number,
      firstByteMs: number,
      totalMs: number,
    },
    Invocations: 1,
    _aws: {
      Timestamp: number,
      CloudWatchMetrics: [
        { Namespace: metricsNamespace, Dimensions: [[]], Metrics: metrics },
        ...(failedBy ? [failures] : []),
      ],
    },
  };
}

function lastLine(platform: Platform) {
  return platform.stage.lines.filter(({ message }) => message === 'invocation').at(-1);
}

it('a response', async () => {
  const api = await startApi(authorities, { answer: (_request, response) => response.end('four') });
  const platform = openPlatform(authorities);
  platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
  await platform.call({ url: url(api) });
  expect(lastLine(platform)).toEqual({
    ...lineOf(api.port, 'INFO', ['FullHandshakes']),
    version: 'v1',
    stage: 'AWSCURRENT',
    attempts: 1,
    status: 200,
    answerBytes: 4,
    FullHandshakes: 1,
  });
});

it('a response after a dead connection was replaced', async () => {
  const api = await startApi(authorities, { maxVersion: 'TLSv1.3' });
  const platform = openPlatform(authorities);
  platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
  await platform.call({ url: url(api) });
  let isFirst = true;
  api.answerWith((request, response) => {
    if (!isFirst) return response.end();
    isFirst = false;
    api.forgetSessions();
    return request.socket.destroy();
  });
  await platform.call({ url: url(api) });
  expect(lastLine(platform)).toEqual({
    ...lineOf(api.port, 'INFO', ['ReusedConnections', 'FullHandshakes']),
    version: 'v1',
    stage: 'AWSCURRENT',
    attempts: 2,
    earlierConnections: ['reused'],
    status: 200,
    answerBytes: 0,
    ReusedConnections: 1,
    FullHandshakes: 1,
  });
});

describe.skipIf(!findPeer('openssl'))('a server that sends alerts (needs openssl)', () => {
  it('a rejection', async () => {
    const api = await startOpenssl(newServer(authorities), { clientRoots, args: ['-tls1_3'] });
    const platform = openPlatform(authorities);
    platform.publish('v1', { client: newClient(stranger), destinations: [destinationAt(api, authorities)] });
    await platform.call({ url: url(api) });
    expect(lastLine(platform)).toEqual({
      ...lineOf(api.port, 'WARN', ['FullHandshakes', 'CertificateRejections'], [['code'], ['failedStep']]),
      version: 'v1',
      stage: 'AWSCURRENT',
      attempts: 1,
      code: 'client-certificate-rejected',
      failedStep: '5',
      alert: 'unknown_ca',
      certainty: 'observed',
      detail: expect.stringMatching(/alert unknown_ca: .+\.$/),
      rejections: 1,
      Failures: 1,
      FullHandshakes: 1,
      CertificateRejections: 1,
    });
  });

  it('a call repeated with a new version: both handshakes count, and the version is the one that was used', async () => {
    const api = await startOpenssl(newServer(authorities), { clientRoots, args: ['-tls1_3'] });
    const platform = openPlatform(authorities);
    const destinations = [destinationAt(api, authorities)];
    platform.publish('v1', { client: newClient(stranger), destinations });
    await platform.stage.identities.get('platform');
    platform.publish('v2', { destinations });
    await platform.call({ url: url(api) });
    expect(lastLine(platform)).toEqual({
      ...lineOf(api.port, 'INFO', ['FullHandshakes', 'CertificateRejections']),
      version: 'v2',
      stage: 'AWSCURRENT',
      attempts: 2,
      earlierConnections: ['new'],
      rejections: 1,
      status: 200,
      answerBytes: expect.any(Number),
      FullHandshakes: 2,
      CertificateRejections: 1,
    });
  });

  it('a call that succeeded with AWSPREVIOUS: counted for its identity and destination', async () => {
    const api = await startOpenssl(newServer(authorities), { clientRoots, args: ['-tls1_3'] });
    const platform = openPlatform(authorities);
    const destinations = [destinationAt(api, authorities)];
    platform.publish('v2', { client: newClient(stranger), destinations });
    platform.publish('v1', { destinations, stage: 'AWSPREVIOUS' });
    await platform.call({ url: url(api) });
    const expected = lineOf(api.port, 'INFO', ['FullHandshakes', 'CertificateRejections']);
    const previous = {
      Namespace: metricsNamespace,
      Dimensions: [[], ['identity', 'destination']],
      Metrics: [count('PreviousCertificateUsed')],
    };
    expect(lastLine(platform)).toEqual({
      ...expected,
      version: 'v1',
      stage: 'AWSPREVIOUS',
      destination: 'api.acme.example',
      attempts: 2,
      earlierConnections: ['new'],
      rejections: 1,
      status: 200,
      answerBytes: expect.any(Number),
      FullHandshakes: 2,
      CertificateRejections: 1,
      PreviousCertificateUsed: 1,
      _aws: { ...expected._aws, CloudWatchMetrics: [...expected._aws.CloudWatchMetrics, previous] },
    });
  });

  it('a call that AWSPREVIOUS did not help: the line shows AWSCURRENT', async () => {
    const api = await startOpenssl(newServer(authorities), { clientRoots, args: ['-tls1_3'] });
    const platform = openPlatform(authorities);
    const destinations = [destinationAt(api, authorities)];
    platform.publish('v2', { client: newClient(stranger), destinations });
    platform.publish('v1', { client: newClient(stranger), destinations, stage: 'AWSPREVIOUS' });
    await platform.call({ url: url(api) });
    expect(lastLine(platform)).toMatchObject({
      version: 'v2',
      stage: 'AWSCURRENT',
      attempts: 2,
      connection: 'new',
      earlierConnections: ['new'],
      rejections: 2,
      code: 'client-certificate-rejected',
      FullHandshakes: 2,
      CertificateRejections: 2,
    });
    expect(lastLine(platform)).not.toHaveProperty('PreviousCertificateUsed');
  });
});
