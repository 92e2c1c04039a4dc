// What a diagnosis cannot be made of is a problem document; what is wrong with the identity is a verdict; each leaves a
// line.
import { describe, expect, it } from 'vitest';
import { useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveHttps } from '../../support/servers.ts';
import { documentOf } from '../../support/stage.ts';

const trial = useDiagnosing();
const anywhere = { host: 'localhost', port: 443, network: 'loopback' };
trial.put('sound', documentOf(trial.client, [anywhere]));

describe('a diagnosis request', () => {
  it.each([
    [{}, 'url'],
    [{ url: '' }, 'url'],
    [{ url: 'https://localhost/ ' }, 'url'],
    [{ url: 'https://localhost/', method: 'GET' }, 'method'],
    [{ url: 'https://localhost/', timeoutMs: 0 }, 'timeoutMs'],
    [{ url: 'https://localhost/', probe: true }, 'probe'],
    [{ url: 'https://localhost/', probe: '/' }, 'probe'],
    [{ url: 'https://localhost/', probe: {} }, 'probe'],
    [{ url: 'https://localhost/', probe: { path: 'health' } }, 'probe'],
    [{ url: 'https://localhost/', probe: { path: '/a b' } }, 'probe'],
    [{ url: 'https://localhost/', probe: { path: '/\r\nhost: other' } }, 'probe'],
    [{ url: 'https://localhost/', probe: { path: '/', method: 'POST' } }, 'probe'],
    [{ url: 'https://localhost/', probe: { path: '/', body: '' } }, 'body'],
    [{ url: 'https://localhost/', x: ' '.repeat(65_536) }, 'body'],
  ])('%j is rejected for its %s', async (request, field) => {
    const reply = await trial.ask(request, 'sound');
    expect(reply).toMatchObject({ statusCode: 400, body: { code: 'invalid-request', evidence: { field } } });
  });

  it('for an unknown identity or a forbidden destination is a problem', async () => {
    const url = 'https://localhost/';
    expect(await trial.ask({ url }, 'absent')).toMatchObject({ statusCode: 404, body: { code: 'identity-not-found' } });
    const elsewhere = await trial.ask({ url: 'https://other.example/' }, 'sound');
    expect(elsewhere).toMatchObject({ statusCode: 403, body: { code: 'destination-forbidden' } });
    trial.put('inward', documentOf(trial.client, [{ host: 'localhost', port: 443 }]));
    const inward = await trial.ask({ url }, 'inward');
    expect(inward).toMatchObject({ statusCode: 403, body: { code: 'destination-forbidden' } });
  });
});

it('an unusable identity is a verdict, and no connection is opened', async () => {
  const server = await serveHttps(trial.server, () => {});
  const expired = trial.platformIssuer.issue({
    commonName: 'old',
    usage: 'client',
    notAfter: new Date(Date.now() - 1),
  });
  trial.put('expired', documentOf(expired, [{ ...anywhere, port: server.port }]));
  const { statusCode, body } = await trial.ask({ url: `https://localhost:${server.port}/` }, 'expired');
  expect(statusCode).toBe(200);
  expect(body).toMatchObject({ verdict: 'identity-unusable', certainty: 'observed', identity: { name: 'expired' } });
  expect(body.steps[3]).toMatchObject({ status: 'failed', findings: [{ evidence: { reason: 'expired' } }] });
  expect(body.remedies).toMatchObject([{ who: 'platform' }]);
  expect(server.connections).toBe(0);
});

it('each diagnosis writes one log line with its metrics, without certificates, paths and keys', async () => {
  const server = await serveHttps(trial.server, (socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
  const before = trial.lines().length;
  await trial.diagnose(server.port, { path: '/secret-path?token=1', request: { probe: { path: '/also-secret' } } });
  await trial.ask({ url: 'https://localhost/' }, 'absent');
  const lines = trial.lines().slice(before);
  const [granted, refused] = lines.map((line) => JSON.parse(line));
  expect(lines).toHaveLength(2);
  expect(granted).toMatchObject({
    level: 'INFO',
    message: 'diagnosis',
    verdict: 'access-granted',
    certainty: 'observed',
    host: 'localhost',
    version: 'v1',
    protocol: 'TLSv1.3',
    Diagnoses: 1,
    DiagnosisVerdicts: 1,
  });
  expect(granted._aws.CloudWatchMetrics).toMatchObject([{ Dimensions: [[]] }, { Dimensions: [['verdict']] }]);
  expect(refused).toMatchObject({ level: 'WARN', code: 'identity-not-found', detail: expect.any(String) });
  expect(refused).not.toHaveProperty('DiagnosisVerdicts');
  expect(lines.join('')).not.toMatch(/secret|token|CN=|BEGIN|sha256\//);
});
