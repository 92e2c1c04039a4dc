// Workers that are replaced while the files of the server are broken, and the checks of these files at the start.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { parseTrust } from '../../../serve/reload/tls-files.ts';
import {
  callersAuthority,
  newServerCertificate,
  newToken,
  serverAuthority,
  surroundings,
} from '../../support/serve/installation.ts';
import { ask, canListWorkers, isRunning, replaceFile, startServing, workersOf } from '../../support/serve/serving.ts';

describe.skipIf(!canListWorkers)('replaced workers (needs /proc)', () => {
  it('serve with the last good files while the current ones are broken', async () => {
    const { identities, folder } = await surroundings();
    const { token, tokenSha256 } = newToken();
    const server = newServerCertificate();
    const [callers, key] = [
      folder.write('callers.json', JSON.stringify([{ name: 'bot', tokenSha256, identities: '*' }])),
      folder.write('tls.key', server.privateKey),
    ];
    const serving = await startServing({
      identities,
      workers: '2',
      callers,
      tlsCert: folder.write('tls.crt', server.certificate),
      tlsKey: key,
    });
    const refusals = () => serving.lines().filter(({ message }) => message === 'files refused');
    replaceFile(callers, '[');
    replaceFile(key, 'half a k');
    // Both files, of both workers.
    await expect.poll(() => refusals().length, { timeout: 10_000 }).toBe(4);
    const first = workersOf(serving);
    for (const pid of first) process.kill(pid, 'SIGKILL');
    const replacements = () => workersOf(serving).filter((pid) => !first.includes(pid) && isRunning(pid));
    await expect.poll(() => replacements().length, { timeout: 10_000 }).toBe(2);
    // Each new worker logs both broken files once.
    await expect.poll(() => refusals().length, { timeout: 10_000 }).toBe(8);
    const statusOf = (shown: string) =>
      ask(serving.url, '/v1/identities/platform/certificate', {
        ca: serverAuthority.certificate,
        headers: { authorization: `Bearer ${shown}` },
      }).then(({ status }) => status, String);
    await expect.poll(() => statusOf(token), { timeout: 10_000 }).toBe(200);
    expect(await statusOf(newToken().token)).toBe(401);
    expect(replacements().length).toBe(2);
    expect(serving.lines().filter(({ message }) => message === 'worker failed')).toEqual([]);
  });
});

describe('the files of the server', () => {
  const { certificate, privateKey } = newServerCertificate();
  const trustOf = (ca: string) => parseTrust([certificate, privateKey, ca]);

  it('are rejected with an intermediate without its issuer', () => {
    const root = createAuthority({ commonName: 'Root' });
    const issuer = root.intermediate({ commonName: 'Issuer' });
    const sentence = '--client-ca contains an intermediate without its issuer: add the issuers, up to the root.';
    expect(() => trustOf(issuer.certificate)).toThrow(new Error(sentence));
    expect(() => trustOf(callersAuthority.certificate + issuer.certificate)).toThrow(new Error(sentence));
    trustOf(issuer.certificate + root.certificate);
    trustOf(root.certificate + callersAuthority.certificate);
  });

  it('are accepted, with a warning, if every user can read the key', async () => {
    const { identities, folder } = await surroundings();
    const key = folder.write('tls.key', privateKey);
    chmodSync(key, 0o644);
    const serving = await startServing({
      identities,
      workers: '2',
      tlsCert: folder.write('tls.crt', certificate),
      tlsKey: key,
    });
    expect(serving.errors()).toContain('Every user of the machine can read the private key of --tls-key.');
    expect(serving.errors().match(/--tls-key/g)?.length).toBe(1);
    expect(serving.errors()).not.toContain(join(folder.path, 'tls.key'));
  });
});
