// `countersign identity renew` on a directory, with issuers and with nginx as the customer's API.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directorySource } from '../../../core/identity/directory.ts';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import { authorities, contentsOf, ground, issue, neverPrint } from '../../support/cli/identity-ground.ts';
import {
  customerCertificate,
  destinationOn,
  expectRenewed,
  old,
  renewalGround,
} from '../../support/cli/renewal-ground.ts';
import { killAndContinue } from '../../support/cli/renewal-kills.ts';
import {
  type BuiltStepCa,
  buildStepCa,
  createProvisioner,
  smallstepNeeds,
  startStepCa,
} from '../../support/issuers/smallstep.ts';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import { startServing } from '../../support/serve/serving.ts';

const nginxNeeds = findPeer('nginx') ? undefined : 'nginx';

describe.skipIf(nginxNeeds)(`with an EST server and nginx (needs ${nginxNeeds ?? 'nginx'})`, () => {
  it('renews what is due, keeps the previous version, and leaves the others', async () => {
    const renewal = await renewalGround();
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    const destinations = [destinationOn(nginx.port)];
    const before = renewal.putRenewed('acme', destinations);
    renewal.put('by-hand', issue(), destinations);
    const dry = await renewal.json(['renew', '--all', '--dry-run']);
    expect(dry.answer.identities).toEqual([
      { identity: 'acme', outcome: 'would-be-renewed' },
      { identity: 'by-hand', outcome: 'no-renewal' },
    ]);
    expect(renewal.enrolments()).toBe(0);

    const ran = await renewal.identity(['renew', '--all']);
    expect(ran.error).toBe('');
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(
      /^✓ acme: renewed until \d{4}-\d\d-\d\d, SHA-256 [0-9A-F:]{95}\n– by-hand: has no renewal \(docs\/on-premises.md\)\n$/,
    );
    await expectRenewed(renewal, 'acme', before);
    const { destinations: kept } = await renewal.at('acme');
    expect(kept).toMatchObject([{ host: 'localhost', port: nginx.port, probe: { path: '/' } }]);
    expect(renewal.enrolments()).toBe(1);

    const again = await renewal.json(['renew', 'acme']);
    expect([again.code, again.answer.identities[0].outcome]).toEqual([0, 'not-due']);
    const forced = await renewal.json(['renew', 'acme', '--before', '3650']);
    expect([forced.code, forced.answer.identities[0].outcome]).toEqual([0, 'renewed']);
    expect(renewal.enrolments()).toBe(2);
  });

  it('keeps the current version if the issuer refuses', async () => {
    const renewal = await renewalGround();
    const before = issue('acme', old());
    renewal.put('acme', before, []);
    const issuer = { kind: 'est', url: renewal.est.url, roots: renewal.est.root.certificate };
    // EST renews only its own certificates: this one comes from elsewhere.
    renewal.setRenewal('acme', { issuer: { ...issuer, username: 'bot', password: 'Word-of-EST-5' } });
    const refused = await renewal.json(['renew', 'acme']);
    expect([refused.code, refused.answer.identities[0].error.code]).toEqual([1, 'issuer-refused']);
    expect((await renewal.at('acme')).certificate).toBe(new X509Certificate(before.certificate).toString());
  });

  it('uses the same certificate in the next run, once every destination accepts it', async () => {
    const renewal = await renewalGround();
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    const before = renewal.putRenewed('acme', [destinationOn(nginx.port)]);
    // A customer that pins the certificate.
    const pinning = await startNginx(customerCertificate, {
      clientRoots: renewal.est.root.certificate,
      directives: `if ($ssl_client_serial != "${new X509Certificate(before.certificate).serialNumber}") { return 403; }`,
    });
    writeFileSync(
      join(renewal.directory, 'acme/destinations.json'),
      JSON.stringify([destinationOn(nginx.port), destinationOn(pinning.port)]),
    );
    const refused = await renewal.json(['renew', 'acme']);
    expect(refused.code).toBe(1);
    expect(refused.answer.identities).toMatchObject([
      { identity: 'acme', outcome: 'failed', error: { code: 'new-certificate-rejected' } },
    ]);
    const pending = await renewal.at('acme', 'AWSPENDING');
    expect((await renewal.at('acme')).fingerprint256).toBe(new X509Certificate(before.certificate).fingerprint256);
    expect((await renewal.json(['inspect', 'acme', '--stage', 'pending'])).answer.pending.hasValue).toBe(true);

    // The renewal goes on, and takes up the destinations that were changed meanwhile.
    const changed = await renewal.identity(['destinations', 'acme', 'remove', `localhost:${pinning.port}`]);
    expect(changed.error).not.toContain('warning');
    expect(await renewal.identity(['renew', 'acme'])).toMatchObject({ code: 0, error: '' });
    const current = await renewal.at('acme');
    expect(current.fingerprint256).toBe(pending.fingerprint256);
    expect(current.destinations).toMatchObject([{ port: nginx.port }]);
    expect(renewal.enrolments()).toBe(1);
    await expectRenewed(renewal, 'acme', before);
  });

  it('--restart discards the renewal under way', async () => {
    const renewal = await renewalGround();
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    const before = renewal.putRenewed('acme', [destinationOn(nginx.port)]);
    const issuer = { kind: 'est', url: renewal.est.url, roots: renewal.est.root.certificate };
    renewal.setRenewal('acme', { issuer: { kind: 'manual' } });
    expect((await renewal.json(['renew', 'acme'])).answer.identities[0].outcome).toBe('awaits-signature');
    renewal.setRenewal('acme', { issuer, subject: 'CN=acme', names: ['dns:bot.example'] });
    const outdated = await renewal.json(['renew', 'acme']);
    expect([outdated.code, outdated.answer.identities[0].error]).toMatchObject([
      1,
      { code: 'rotation-refused', hint: 'Begin again with countersign identity renew acme --restart.' },
    ]);
    renewal.setRenewal('acme', { issuer });
    expect(await renewal.identity(['renew', 'acme', '--restart'])).toMatchObject({ code: 0, error: '' });
    await expectRenewed(renewal, 'acme', before);
  });

  // All moments: renewal-survives-kills.release.test.ts.
  it('is continued after a kill', { timeout: 300_000 }, async () => {
    const renewal = await renewalGround();
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    let kills = 0;
    for (let at = 3; ; at += 17, kills += 1) {
      if ((await killAndContinue(renewal, [destinationOn(nginx.port)], at)) === undefined) break;
    }
    expect(kills).toBeGreaterThan(3);
  });

  it('keeps the previous version for a customer that does not trust the new root yet', async () => {
    const user = { name: 'bot', password: 'Word-of-EST-5' };
    const renewal = await renewalGround({ user });
    const before = issue('acme', old());
    const nginx = await startNginx(customerCertificate, { clientRoots: before.root });
    renewal.put('acme', before, [destinationOn(nginx.port)]);
    const issuer = { kind: 'est', url: renewal.est.url, roots: renewal.est.root.certificate };
    const { name: username, password } = user;
    renewal.setRenewal('acme', { issuer: { ...issuer, username, password }, onRejection: 'proceed' });
    const ran = await renewal.json(['renew', 'acme']);
    expect([ran.code, ran.answer.identities]).toMatchObject([0, [{ outcome: 'renewed', newRoot: true }]]);
    expect(ran.out).not.toContain(password);
    const { url } = await startServing({ identities: renewal.directory, workers: '1' });
    const response = await fetch(`${url}/v1/identities/acme/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url: `https://localhost:${nginx.port}/` }),
    });
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } },
    ]);
  });

  it.skipIf(process.getuid?.() !== 0)('writes as the owner of the directory if root runs it (needs root)', async () => {
    const owner = '54321:54321';
    const renewal = await renewalGround();
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    const before = renewal.putRenewed('acme', [destinationOn(nginx.port)]);
    execFileSync('chown', ['-R', owner, renewal.directory]);
    expect(await renewal.identity(['renew', 'acme'])).toMatchObject({ code: 0, error: '' });
    await expectRenewed(renewal, 'acme', before);
    const paths = readdirSync(renewal.directory, { recursive: true, encoding: 'utf8' });
    const owners = paths.map((path) => statSync(join(renewal.directory, path))).map(({ uid, gid }) => `${uid}:${gid}`);
    expect(new Set(owners)).toEqual(new Set([owner]));
    const key = statSync(join(renewal.directory, 'acme/private-key.pem'));
    expect(key.mode & 0o777).toBe(0o600);
  });

  it('runs once at a time', async () => {
    const waits = { status: 202, headers: { 'retry-after': '3' } };
    const renewal = await renewalGround({ firstAnswers: [waits] });
    const nginx = await startNginx(customerCertificate, { clientRoots: renewal.est.root.certificate });
    const before = renewal.putRenewed('acme', [destinationOn(nginx.port)]);
    const first = renewal.json(['renew', 'acme']);
    await expect.poll(renewal.enrolments, { timeout: 20_000 }).toBe(1);
    const second = await renewal.json(['renew', 'acme']);
    expect([second.code, second.answer.identities[0].error.code]).toEqual([3, 'identity-busy']);
    expect((await first).code).toBe(0);
    await expectRenewed(renewal, 'acme', before);
  });
});

describe('a manual issuer', () => {
  it('has its request wait, and continues with the signed certificate', async () => {
    const { directory, folder, put, identity, json } = ground();
    put('acme', issue('bot', old()), [{ host: 'api.acme.example' }]);
    writeFileSync(join(directory, 'acme/renewal.json'), '{"issuer":{"kind":"manual"}}', { mode: 0o600 });
    const waits = await identity(['renew', '--all']);
    expect([waits.code, waits.out]).toEqual([
      1,
      '! acme: The certificate request of identity "acme" waits for a signature.\n',
    ]);
    expect(waits.error).toContain('countersign identity csr acme');
    const file = join(directory, '.countersign/acme.request.json');
    neverPrint(JSON.parse(readFileSync(file, 'utf8')).privateKey);
    const before = contentsOf(directory);
    expect((await identity(['renew', 'acme'])).code).toBe(1);
    expect(contentsOf(directory)).toEqual(before);
    const request = (await identity(['csr', 'acme'])).out;
    expect((await json(['csr', 'acme', '--new'])).answer.error.code).toBe('rotation-under-way');

    const asked = readCertificateRequest(request);
    if (!asked) throw new Error('The request cannot be read.');
    const { subject, publicKey } = asked;
    const { certificate } = authorities.platformIssuer.certify({ subject, publicKey, usage: 'client' });
    const signed = folder.write('acme.pem', certificate);
    const done = await json(['complete', 'acme', '--certificate', signed]);
    expect([done.code, done.answer]).toMatchObject([0, { outcome: 'activated', identity: 'acme' }]);
    expect((await json(['complete', 'acme', '--certificate', signed])).answer.error.code).toBe('no-request');
    const { document } = await directorySource(directory).read('acme', 'AWSCURRENT');
    expect(JSON.parse(document)).toMatchObject({ certificate, renewal: { issuer: { kind: 'manual' } } });
    expect(existsSync(file)).toBe(false);
    expect((await json(['renew', 'acme'])).answer.identities[0].outcome).toBe('not-due');
  });

  it('is not needed for a request of csr, which a renewal leaves alone', async () => {
    const { directory, put, identity, json } = ground();
    put('acme', issue('bot', old()), []);
    writeFileSync(join(directory, 'acme/renewal.json'), '{"issuer":{"kind":"manual"}}', { mode: 0o600 });
    const request = (await identity(['csr', 'acme'])).out;
    const { answer, code } = await json(['renew', 'acme']);
    expect([code, answer.identities[0]]).toMatchObject([
      1,
      { outcome: 'awaits-signature', error: { code: 'request-waits' } },
    ]);
    expect((await identity(['csr', 'acme'])).out).toBe(request);
  });
});

describe('errors', () => {
  it('of the command line and of one identity', async () => {
    const { directory, put, identity, json } = ground();
    put('acme', issue('bot', old()), []);
    expect(await identity(['renew'])).toMatchObject({ code: 2, error: expect.stringContaining('--all') });
    expect(await identity(['renew', 'acme', '--all'])).toMatchObject({ code: 2 });
    expect(await identity(['renew', 'acme', '--before', '0'])).toMatchObject({ code: 2 });
    expect(await identity(['renew', '--all', '--restart'])).toMatchObject({ code: 2 });
    expect((await json(['renew', 'acme'])).answer.identities).toEqual([{ identity: 'acme', outcome: 'no-renewal' }]);
    expect((await json(['renew', 'acme'])).code).toBe(1);
    writeFileSync(join(directory, 'acme/renewal.json'), '{"issuer":', { mode: 0o600 });
    put('other', issue(), []);
    writeFileSync(join(directory, 'other/renewal.json'), '{"issuer":{"kind":"manual"}}', { mode: 0o600 });
    // One failure does not stop the others, and no call fails for a renewal that cannot be read.
    const { answer, code } = await json(['renew', '--all']);
    expect([code, answer.identities]).toMatchObject([
      1,
      [{ outcome: 'failed', error: { code: 'renewal-unusable' } }, { outcome: 'not-due' }],
    ]);
    expect((await json(['inspect', 'acme'])).answer.isUsable).toBe(true);
    expect((await json(['renew', 'missing'])).answer.identities[0].error.code).toBe('identity-not-found');
    const local = await identity(['renew', 'acme', '--source', 'local']);
    expect(local).toMatchObject({ code: 1, error: expect.stringContaining('countersign identity rotate') });
  });
});

describe.skipIf(smallstepNeeds)(`step-ca (needs ${smallstepNeeds ?? 'smallstep'})`, () => {
  let built: BuiltStepCa;
  beforeAll(async () => {
    built = await buildStepCa();
  }, 300_000);
  afterAll(() => built?.remove());

  it('issues the first certificate for a folder with settings only, and the next over mutual TLS', async () => {
    const provisioner = await createProvisioner();
    const ca = await startStepCa(built, { provisioner });
    const { directory, json } = ground();
    const issuer = { kind: 'step-ca', url: ca.url, roots: ca.roots };
    mkdirSync(join(directory, 'acme'), { mode: 0o700 });
    const write = (file: string, value: unknown) =>
      writeFileSync(join(directory, 'acme', file), JSON.stringify(value), { mode: 0o600 });
    write('renewal.json', {
      issuer: { ...issuer, provisioner: provisioner.name, provisionerKey: provisioner.key, validityDays: 20 },
      names: ['dns:acme'],
    });
    write('destinations.json', [{ host: 'api.acme.example' }]);
    const first = await json(['renew', '--all']);
    expect([first.code, first.answer.identities]).toMatchObject([0, [{ outcome: 'renewed' }]]);
    write('renewal.json', { issuer });
    const next = await json(['renew', '--all', '--before', '30']);
    expect([next.code, next.answer.identities]).toMatchObject([0, [{ outcome: 'renewed' }]]);
    expect(next.answer.identities[0].fingerprint256).not.toBe(first.answer.identities[0].fingerprint256);
    const stored = JSON.parse((await directorySource(directory).read('acme', 'AWSCURRENT')).document);
    expect(stored).toMatchObject({ destinations: [{ host: 'api.acme.example' }], renewal: { issuer } });
  });
});
