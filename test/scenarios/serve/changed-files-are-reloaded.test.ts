// Files that change while the server runs: identities, callers, the server certificate and the client CAs, valid and
// invalid.
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import {
  callersAuthority,
  newIdentity,
  newServerCertificate,
  newToken,
  serverAuthority,
  surroundings,
} from '../../support/serve/installation.ts';
import { ask, invoke, replaceFile, startServing, writeIdentity } from '../../support/serve/serving.ts';

const fingerprint = ({ certificate }: IssuedCertificate) => new X509Certificate(certificate).fingerprint256;

/** As the kubelet does: creates a new folder, and renames a link to it over `..data`. */
function swapSecret(mount: string, files: Readonly<Record<string, string>>): void {
  const next = `..${process.hrtime.bigint()}`;
  mkdirSync(join(mount, next), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(mount, next, name)), { recursive: true });
    writeFileSync(join(mount, next, name), text, { mode: 0o600 });
  }
  symlinkSync(next, join(mount, '..data_tmp'));
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  for (const name of Object.keys(files)) {
    try {
      symlinkSync(join('..data', name), join(mount, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  for (const name of readdirSync(mount)) {
    if (/^\.\.\d/.test(name) && name !== next) rmSync(join(mount, name), { recursive: true });
  }
}

describe('an identity', () => {
  it('is reloaded when its files change, without a call, and connections of the old version end', async () => {
    const { identities, api, target, destinations } = await surroundings();
    const serving = await startServing({ identities, workers: '2', identityTtlSeconds: '1' });
    for (let n = 0; n < 8; n++) await invoke(serving.url, target);
    const next = newIdentity();
    writeIdentity(identities, 'platform', next, destinations);
    // Each worker that uses it reads it again.
    await serving.line(({ message }) => message === 'identity taken up');
    await expect
      .poll(
        async () => {
          const replies = await Promise.all(Array.from({ length: 8 }, () => invoke(serving.url, target)));
          return new Set(replies.map(({ body }) => body.handshake.client.fingerprint256));
        },
        { timeout: 10_000 },
      )
      .toEqual(new Set([fingerprint(next)]));
    await expect
      .poll(() => api.openSockets, { timeout: 10_000 })
      .toBeLessThanOrEqual(api.connections.filter(({ fingerprint256 }) => fingerprint256 === fingerprint(next)).length);
  });

  it('is reloaded if only the readiness probe has used it', async () => {
    const { identities, target, destinations } = await surroundings();
    const serving = await startServing({ identities, workers: '1', identityTtlSeconds: '1' });
    expect((await ask(serving.url, '/v1/ready')).status).toBe(200);
    const next = newIdentity();
    for (const name of ['acme', 'platform']) writeIdentity(identities, name, next, destinations);
    const { identity } = await serving.line(({ message }) => message === 'identity taken up');
    const { body } = await invoke(serving.url, target, { identity: String(identity) });
    expect(body.handshake.client.fingerprint256).toBe(fingerprint(next));
  });

  it('is reloaded after the link swap of a Kubernetes secret; incomplete files are never used', async () => {
    const { api, target, destinations, folder } = await surroundings();
    const mount = join(folder.path, 'mounted', 'platform');
    const filesOf = (issued: IssuedCertificate) => ({
      'tls.key': issued.privateKey,
      'tls.crt': issued.certificate + issued.intermediates,
      'ca.crt': issued.root,
      'destinations.json': JSON.stringify(destinations),
    });
    const [first, second, third] = [newIdentity(), newIdentity(), newIdentity()];
    swapSecret(mount, filesOf(first));
    const serving = await startServing({ identities: dirname(mount), workers: '1', identityTtlSeconds: '1' });
    const presented = async () => (await invoke(serving.url, target)).body.handshake.client.fingerprint256;
    expect(await presented()).toBe(fingerprint(first));

    swapSecret(mount, filesOf(second));
    await expect.poll(presented, { timeout: 10_000 }).toBe(fingerprint(second));

    // A key of another certificate, then half a key: both are rejected, and the version in use stays.
    const refusals = () => serving.lines().filter(({ message }) => message === 'identity refresh failed');
    swapSecret(mount, { ...filesOf(third), 'tls.key': first.privateKey });
    await serving.line(({ message, reason }) => message === 'identity refresh failed' && reason === 'key-mismatch');
    expect(await presented()).toBe(fingerprint(second));
    swapSecret(mount, { ...filesOf(third), 'tls.key': third.privateKey.slice(0, 60) });
    await serving.line(({ message, reason }) => message === 'identity refresh failed' && reason === 'pem-malformed');
    expect(await presented()).toBe(fingerprint(second));
    expect((await ask(serving.url, '/metrics')).text).toContain(
      `countersign_identity_refresh_failures_total{identity="platform"} ${refusals().length}`,
    );

    swapSecret(mount, filesOf(third));
    await expect.poll(presented, { timeout: 10_000 }).toBe(fingerprint(third));
    expect(new Set(api.connections.map(({ fingerprint256 }) => fingerprint256))).toEqual(
      new Set([first, second, third].map(fingerprint)),
    );
  });

  it('is found when it is new, and not found when it was removed', async () => {
    const { identities, target, destinations } = await surroundings();
    const serving = await startServing({ identities, workers: '1', identityTtlSeconds: '1' });
    const codeOf = async () => {
      const { status, body } = await invoke(serving.url, target, { identity: 'late' });
      return body.code ?? status;
    };
    expect(await codeOf()).toBe('identity-not-found');
    writeIdentity(identities, 'late', newIdentity('late'), destinations);
    await expect.poll(codeOf, { timeout: 15_000 }).toBe(200);
    rmSync(join(identities, 'late'), { recursive: true });
    await expect.poll(codeOf, { timeout: 20_000 }).toBe('identity-not-found');
  });

  it('decides, with the others, whether a process is ready', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1', identityTtlSeconds: '1' });
    const ready = async () => (await ask(serving.url, '/v1/ready')).body;
    expect(await ready()).toEqual({ status: 'ready' });
    renameSync(identities, `${identities}-away`);
    await expect.poll(ready, { timeout: 5_000 }).toEqual({ status: 'not-ready', reason: 'identities-unreadable' });
    expect((await ask(serving.url, '/v1/ready')).status).toBe(503);
    expect((await ask(serving.url, '/v1/health')).status).toBe(200);
    mkdirSync(identities);
    await expect.poll(ready, { timeout: 5_000 }).toEqual({ status: 'not-ready', reason: 'no-usable-identity' });
  });
});

describe('callers', () => {
  it('who are removed are rejected, on open connections too; a broken file changes nothing', async () => {
    const { identities, folder } = await surroundings();
    const [first, second] = [newToken(), newToken()];
    const fileOf = ({ tokenSha256 }: { tokenSha256: string }) =>
      JSON.stringify([{ name: 'bot', tokenSha256, identities: ['platform'] }]);
    const callers = folder.write('callers.json', fileOf(first));
    const serving = await startServing({ identities, workers: '1', callers });
    const { Agent: PlainAgent } = await import('node:http');
    const agent = new PlainAgent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const statusOf = async ({ token }: { token: string }) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await ask(serving.url, '/v1/identities/platform/certificate', { headers, agent })).status;
    };
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 401]);

    replaceFile(callers, fileOf(second).slice(0, 40));
    await serving.line(({ message }) => message === 'files refused');
    expect(serving.lines()).toContainEqual(
      expect.objectContaining({ level: 'ERROR', message: 'files refused', detail: 'callers.json is not JSON.' }),
    );
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 401]);

    replaceFile(callers, fileOf(second));
    await serving.line(({ message }) => message === 'files taken up');
    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);

    rmSync(callers);
    await serving.line(({ detail }) => String(detail).includes('cannot be read (ENOENT)'));
    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);
  });
});

describe('the server certificate and the client CAs', () => {
  it('are reloaded together; callers of the old CAs must authenticate again', async () => {
    const { identities, folder } = await surroundings();
    const others = createAuthority({ commonName: 'Other Callers' });
    const [oldServer, newServer] = [newServerCertificate(), newServerCertificate()];
    const mount = join(folder.path, 'tls');
    const filesOf = (server: IssuedCertificate, ca: string) => ({
      'tls.crt': server.certificate,
      'tls.key': server.privateKey,
      'ca.crt': ca,
    });
    swapSecret(mount, filesOf(oldServer, callersAuthority.certificate));
    const callers = folder.write('callers.json', JSON.stringify([{ name: 'bot', commonName: 'bot', identities: '*' }]));
    const serving = await startServing({
      identities,
      workers: '1',
      tlsCert: join(mount, 'tls.crt'),
      tlsKey: join(mount, 'tls.key'),
      clientCa: join(mount, 'ca.crt'),
      callers,
    });
    const shownBy = (authority: typeof others) => {
      const { certificate, privateKey } = authority.issue({ commonName: 'bot', usage: 'client' });
      return new Agent({
        keepAlive: true,
        maxSockets: 1,
        cert: certificate,
        key: privateKey,
        ca: serverAuthority.certificate,
      });
    };
    const [oldCaller, newCaller] = [shownBy(callersAuthority), shownBy(others)];
    onTestFinished(() => {
      oldCaller.destroy();
      newCaller.destroy();
    });
    const statusOf = async (agent: Agent) =>
      (await ask(serving.url, '/v1/identities/platform/certificate', { agent })).status;
    expect([await statusOf(oldCaller), await statusOf(newCaller)]).toEqual([200, 401]);

    // A connection after its handshake, before its first request.
    const { hostname, port } = new URL(serving.url);
    const issued = callersAuthority.issue({ commonName: 'bot', usage: 'client' });
    const waiting = connect({
      host: hostname,
      port: Number(port),
      ca: serverAuthority.certificate,
      cert: issued.certificate,
      key: issued.privateKey,
      servername: 'localhost',
    });
    waiting.on('error', () => {});
    onTestFinished(() => {
      waiting.destroy();
    });
    await new Promise((resolve) => waiting.once('secureConnect', resolve));

    swapSecret(mount, filesOf(newServer, callersAuthority.certificate + others.certificate));
    await serving.line(({ message }) => message === 'files taken up');
    // Idle connections were closed: both callers did a new handshake with the new CAs.
    expect([await statusOf(oldCaller), await statusOf(newCaller)]).toEqual([200, 200]);
    let answer = '';
    waiting.on('data', (chunk) => {
      answer += chunk;
    });
    waiting.write('GET /v1/identities/platform/certificate HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => waiting.once('data', resolve).once('close', resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 401 .*connection: close.*connection-stale/is);

    const seen = await new Promise<string>((resolve) => {
      const socket = connect(
        { host: hostname, port: Number(port), ca: serverAuthority.certificate, servername: 'localhost' },
        () => {
          resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
          socket.destroy();
        },
      );
    });
    expect(seen).toBe(fingerprint(newServer));

    swapSecret(mount, { ...filesOf(oldServer, callersAuthority.certificate), 'tls.key': newServer.privateKey });
    await serving.line(({ message }) => message === 'files refused');
    expect(await statusOf(newCaller)).toBe(200);
  });
});
