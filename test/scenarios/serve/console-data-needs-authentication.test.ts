// The console of `serve`: its page is public, its data needs the same authentication as the API, and --no-console
// removes it.
import { describe, expect, it } from 'vitest';
import { newServerCertificate, newToken, serverAuthority, surroundings } from '../../support/serve/installation.ts';
import { type Asked, ask, startServing } from '../../support/serve/serving.ts';

const tokens = { platform: newToken(), all: newToken(), scraper: newToken(), unknown: newToken() };
const callers = JSON.stringify([
  { name: 'platform-bot', tokenSha256: tokens.platform.tokenSha256, identities: ['platform'] },
  { name: 'people', tokenSha256: tokens.all.tokenSha256, identities: '*' },
  { name: 'scraper', tokenSha256: tokens.scraper.tokenSha256, identities: [], metrics: true },
]);
const bearer = ({ token }: { token: string }): Asked => ({ headers: { authorization: `Bearer ${token}` } });
const statePath = '/console/api/state';
const visit = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site' };

describe('the console of serve', () => {
  it('serves the page without a token, but no data', async () => {
    const { folder, identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1', callers: folder.write('callers.json', callers) });
    const page = await ask(serving.url, '/');
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.text).not.toContain('platform');
    expect((await ask(serving.url, '/console/main.js')).status).toBe(200);
    expect((await ask(serving.url, '/console/../package.json')).status).toBe(401);
    for (const shown of [{}, bearer(tokens.unknown)]) {
      expect((await ask(serving.url, statePath, shown)).body).toMatchObject({ code: 'not-authenticated' });
    }
  });

  it('shows each caller only its identities, and no key', async () => {
    const { folder, identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1', callers: folder.write('callers.json', callers) });
    const namesFor = async (shown: Asked) => {
      const { status, body, text } = await ask(serving.url, statePath, shown);
      expect(status).toBe(200);
      expect(text).not.toMatch(/PRIVATE KEY|BEGIN CERT/);
      expect(body).toMatchObject({ place: 'directory', mayRotate: false });
      return body.identities.map(({ name }: { name: string }) => name);
    };
    expect(await namesFor(bearer(tokens.platform))).toEqual(['platform']);
    expect(await namesFor(bearer(tokens.all))).toEqual(['acme', 'platform']);
    expect(await namesFor(bearer(tokens.scraper))).toEqual([]);
    const rotation = (identity: string) =>
      ask(serving.url, `/console/api/identities/${identity}/rotations`, {
        headers: { ...bearer(tokens.platform).headers, 'content-type': 'application/json' },
        body: '{}',
      });
    expect((await rotation('acme')).body).toMatchObject({ code: 'caller-forbidden' });
    expect((await rotation('platform')).body.message).toContain('There is no rotation here');
  });

  it('shows the verdict of a diagnosis in any process', async () => {
    const { identities, target } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const diagnosis = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ url: target }) };
    const { body } = await ask(serving.url, '/v1/identities/platform/diagnoses', diagnosis);
    expect(body.verdict).toBe('access-granted');
    const verdicts = async () => {
      const states = await Promise.all(Array.from({ length: 8 }, () => ask(serving.url, statePath)));
      return states.map(({ body: { identities: all } }) => {
        const [destination] = all.find(({ name }: { name: string }) => name === 'platform').destinations;
        return destination.verdicts.map(({ verdict }: { verdict: string }) => verdict);
      });
    };
    await expect.poll(verdicts, { timeout: 10_000 }).toEqual(Array.from({ length: 8 }, () => ['access-granted']));
  });

  it('opens from a link on another page, which cannot read it', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1' });
    expect((await ask(serving.url, '/', { headers: visit })).status).toBe(200);
    expect((await ask(serving.url, '/', { headers: { ...visit, host: 'evil.example' } })).status).toBe(403);
    for (const path of ['/', statePath]) {
      const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', origin: 'https://evil.example' };
      expect((await ask(serving.url, path, { headers })).status).toBe(403);
    }
  });

  it('works over TLS', async () => {
    const { folder, identities } = await surroundings();
    const server = newServerCertificate();
    const serving = await startServing({
      identities,
      workers: '1',
      tlsCert: folder.write('tls.crt', server.certificate + server.intermediates),
      tlsKey: folder.write('tls.key', server.privateKey),
      callers: folder.write('callers.json', callers),
    });
    const ca = serverAuthority.certificate;
    expect((await ask(serving.url, '/', { ca })).status).toBe(200);
    expect((await ask(serving.url, statePath, { ...bearer(tokens.all), ca })).body.caller).toBe('people');
  });

  it('is off with --no-console', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1', console: false });
    for (const path of ['/', '/console/main.js', statePath]) {
      expect((await ask(serving.url, path)).status, path).toBe(404);
    }
  });
});
