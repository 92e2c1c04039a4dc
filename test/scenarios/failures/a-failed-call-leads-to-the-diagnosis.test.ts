// The problem document of a failed call has the route and body of its diagnosis, without path and query of the call.
import { expect, it } from 'vitest';
import { checkDiagnosisRequest } from '../../../core/diagnosis/request.ts';
import { freePort } from '../../support/port.ts';
import { serveHttps, serveTcp } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const path = '/accounts/42?token=secret-word';

/** The diagnosis that the document names, as the route that it names reads it. */
function expectDiagnosis(problem: Record<string, unknown>, port: number): void {
  const { diagnosis, hint } = problem as { diagnosis: { route: string; body: object }; hint: string };
  const url = `https://localhost:${port}/`;
  expect(diagnosis).toEqual({
    route: expect.stringMatching(/^POST \/v1\/identities\/case-\d+\/diagnoses$/),
    body: { url },
  });
  expect(hint).toMatch(new RegExp(`\\. To find the cause, diagnose ${url}\\.$`));
  expect(JSON.stringify(problem)).not.toContain('secret-word');
  const identity = /identities\/(.+)\/diagnoses/.exec(diagnosis.route)?.[1] ?? '';
  expect(checkDiagnosisRequest(identity, { ...diagnosis.body })).toMatchObject({ identity });
}

it('at step 1, a port that is closed', async () => {
  const port = await freePort();
  expectDiagnosis(await trial.fails('connection-refused', port, { path }), port);
});

it('at step 2, a port without TLS', async () => {
  const { port } = await serveTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expectDiagnosis(await trial.fails('server-not-tls', port, { path }), port);
});

it('at step 3, a certificate for another name', async () => {
  const server = await serveHttps(trial.serverWith({ names: ['other.example'] }), () => {});
  expectDiagnosis(await trial.fails('server-certificate-name-mismatch', server.port, { path }), server.port);
});

it('at step 4, a server that never asks', async () => {
  const server = await serveHttps(trial.server, () => {}, { requestCert: false });
  const options = { path, request: { requireMutual: true } };
  expectDiagnosis(await trial.fails('client-certificate-not-requested', server.port, options), server.port);
});

it('at step 5, a server that does not trust our root', async () => {
  const stranger = trial.customerRoot.certificate;
  const server = await serveHttps(trial.server, () => {}, { ca: stranger, rejectUnauthorized: true });
  expectDiagnosis(await trial.fails('client-certificate-rejected', server.port, { path }), server.port);
});

it('after the five steps, a response that ends early', async () => {
  const server = await serveHttps(trial.server, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'),
  );
  expectDiagnosis(await trial.fails('response-incomplete', server.port, { path }), server.port);
});

it('a failure before the handshake names no diagnosis, which would end the same way', async () => {
  const port = await freePort();
  for (const [code, options] of [
    ['invalid-request', { request: { method: 'get' } }],
    ['destination-forbidden', { request: { url: `https://elsewhere.example:${port}/` } }],
    ['identity-unusable', { client: { ...trial.client, certificate: 'none' } }],
  ] as const) {
    const { body: problem } = await trial.call(port, options);
    expect(problem.code).toBe(code);
    expect(problem).not.toHaveProperty('diagnosis');
    expect(problem.hint).not.toContain('diagnose');
  }
});
