// `countersign identity rotate` and `complete` in the local cloud: the deployed rotation function, with an
// authority and with a manual signature.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelRotateSecretCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { rotationFunctionArn } from '../../../local/rotation.ts';
import { authorities, expectNothingSecret, issue, neverPrint } from '../../support/cli/identity-ground.ts';
import { prefix, type SecretsGround, secretsGround } from '../../support/cli/identity-secrets.ts';
import { mainFile, root } from '../../support/cli/run-command.ts';
import { signedBy } from '../../support/rotation/rotation-pipeline.ts';
import { serveHttps } from '../../support/servers.ts';

const ports = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };
let cloud: Cloud;

// One for the whole file: the functions read their settings when they are loaded, once in a process.
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-rotating-'));
  // Rotations fail here because they are meant to.
  cloud = await startCloud({ folder, ports, onFailure: () => undefined, isScheduled: false });
  return async () => {
    await cloud.close();
    rmSync(folder, { recursive: true, force: true });
  };
});

const nowhere = ['--destination', '*.acme.example'];

/** An identity with that renewal, and a rotation that is set up and not begun. */
async function rotating(name: string, renewal: object, destination = nowhere): Promise<SecretsGround> {
  const on = await secretsGround(cloud.secretsManagerUrl);
  const { folder, pem, client, json } = on;
  const file = folder.write('renewal.json', JSON.stringify({ renewal }));
  const made = await json(['import', name, pem('bot.pem', issue(name)), '--renewal', file, ...destination]);
  expect(made.code).toBe(0);
  await client.send(
    new RotateSecretCommand({
      SecretId: prefix + name,
      RotationLambdaARN: rotationFunctionArn,
      RotationRules: { AutomaticallyAfterDays: 30 },
      RotateImmediately: false,
    }),
  );
  await vi.waitFor(async () => expect(await on.labels(name)).not.toHaveProperty('AWSPENDING'), 20_000);
  onTestFinished(async () => {
    await client.send(new CancelRotateSecretCommand({ SecretId: prefix + name })).catch(() => undefined);
  });
  return on;
}

/** Signs the request as the operator of the authority. */
async function signByHand({ folder }: SecretsGround, request: string): Promise<string> {
  const { certificates } = await signedBy(authorities.platformIssuer)({ certificateRequest: request } as never);
  return folder.write('back.pem', certificates);
}

describe('a rotation', { timeout: 60_000 }, () => {
  it('that an authority signs is started and followed to its end', async () => {
    const { identity, json, labels } = await rotating('signed', {
      issuer: { kind: 'local', url: cloud.authorityUrl },
    });
    const before = await labels('signed');
    const { code, answer, error } = await json(['rotate', 'signed', '--wait']);
    expect([code, answer]).toMatchObject([0, { outcome: 'rotated', certificate: { subject: 'CN=signed' } }]);
    // The same lines however fast it was.
    expect(error.split('\n').slice(1)).toEqual([
      'The next version waits for its certificate from the issuer.',
      'The next version has its certificate. It is announced and tested at the destinations.',
      'The next version is in use.',
      '',
    ]);
    expect(await labels('signed')).toMatchObject({ AWSCURRENT: answer.version, AWSPREVIOUS: before.AWSCURRENT });
    const inspected = await identity(['inspect', 'signed']);
    expect(inspected.out).toMatch(/^Rotation\n {2}enabled, last on \d{4}-\d\d-\d\d/m);
    expect(inspected.out).toContain('  the version before is kept: countersign identity rollback\n');
    // Nothing is followed without --wait.
    const begun = await identity(['rotate', 'signed']);
    expect([begun.code, begun.out]).toEqual([
      0,
      expect.stringMatching(/^"signed" is being rotated, version [0-9a-f-]{36}\. Follow it with --wait\.\n$/),
    ]);
  });

  it('continues when the command stops waiting, which it reports', async () => {
    const on = await rotating('left', { issuer: { kind: 'local', url: 'http://127.0.0.1:1' } });
    const words = ['identity', 'rotate', 'left', '--wait', '--source', 'local', '--endpoint', cloud.secretsManagerUrl];
    const child = spawn(process.execPath, [mainFile, ...words], { cwd: root, env: { PATH: process.env.PATH ?? '' } });
    onTestFinished(() => void child.kill('SIGKILL'));
    let error = '';
    child.stderr.on('data', (chunk: Buffer) => {
      error += chunk;
      if (chunk.includes('certificate from the issuer')) child.kill('SIGINT');
    });
    const [code] = await once(child, 'close');
    expect([code, error]).toEqual([
      130,
      expect.stringContaining('The rotation continues: countersign identity inspect left shows its progress.\n'),
    ]);
    expect(await on.labels('left')).toHaveProperty('AWSPENDING');
  });

  it('that a person signs waits for the certificate, and complete continues it to its end', async () => {
    const on = await rotating('by-hand', { issuer: { kind: 'manual' } });
    const { identity, json, labels, document, folder } = on;
    const current = await document('by-hand');
    const waits = await json(['rotate', 'by-hand', '--wait']);
    expect([waits.code, waits.answer]).toMatchObject([
      1,
      { outcome: 'awaits-signature', detail: 'The certificate request waits for a signature.' },
    ]);
    expect(waits.error).toContain('Print the request with countersign identity csr by-hand, have it signed');
    const kept = await document('by-hand', 'COUNTERSIGN_REQUEST');
    neverPrint(kept.privateKey);
    expect(kept.for).toBe(waits.answer.version);

    const asked = await identity(['csr', 'by-hand']);
    expect([asked.code, asked.out]).toEqual([0, kept.certificateRequest]);
    expect(await identity(['csr', 'by-hand', '--new'])).toMatchObject({
      code: 1,
      out: '',
      error: expect.stringContaining('A rotation of "by-hand" waits for this request'),
    });
    // Wrong ones go no further than here: the value of a version stays, whatever it is.
    const other = folder.write('other.pem', issue('by-hand').certificate);
    expect((await json(['complete', 'by-hand', '--certificate', other])).answer.findings[0].code).toBe(
      'key-without-certificate',
    );
    const file = await signByHand(on, asked.out);
    const changed = await json(['complete', 'by-hand', '--certificate', file, '--destination', 'other.example']);
    expect([changed.code, changed.answer.error]).toMatchObject([
      1,
      { code: 'rotation-under-way', detail: expect.stringContaining('replaces only the key and the certificates') },
    ]);
    expect(await document('by-hand')).toEqual(current);
    expect((await json(['inspect', 'by-hand', '--stage', 'pending'])).answer.error.code).toBe('no-version');

    const done = await json(['complete', 'by-hand', '--certificate', file, '--wait', '--timeout', '30']);
    expect([done.code, done.answer]).toMatchObject([0, { outcome: 'rotated', version: kept.for }]);
    const next = await document('by-hand');
    expect(next).toEqual({
      ...current,
      privateKey: kept.privateKey,
      certificate: expect.stringContaining('BEGIN CERTIFICATE'),
      intermediateCertificates: expect.any(String),
      rootCertificate: expect.any(String),
    });
    const { AWSCURRENT } = await labels('by-hand');
    expect(AWSCURRENT).toBe(kept.for);
    expect((await json(['complete', 'by-hand', '--certificate', file])).answer.error.code).toBe('no-request');
  });

  it('that a customer blocks keeps the identity, is shown in a trust pack, and prevents other changes', async () => {
    const { platformRoot, customerRoot } = authorities;
    const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
    // The next one comes from the demo's authority, which this API does not know.
    const api = await serveHttps(server, (socket) => socket.write(answer), {
      rejectUnauthorized: true,
      ca: platformRoot.certificate,
    });
    const roots = authorities.customerRoot.certificate;
    const place = ['--destination', `localhost:${api.port}`, '--network', 'loopback', '--server-roots'];
    const { folder } = await secretsGround(cloud.secretsManagerUrl);
    const on = await rotating('blocked', { issuer: { kind: 'local', url: cloud.authorityUrl } }, [
      ...place,
      folder.write('roots.pem', roots),
    ]);
    const { identity, json, labels, document } = on;
    const current = await document('blocked');
    const waits = await json(['rotate', 'blocked', '--wait', '--timeout', '2']);
    expect([waits.code, waits.answer]).toMatchObject([
      3,
      {
        outcome: 'trying',
        detail: 'The next version has its certificate. It is announced and tested at the destinations.',
      },
    ]);
    expect(waits.error).toContain('see the log of the rotation function');
    expect(await document('blocked')).toEqual(current);
    neverPrint((await document('blocked', 'AWSPENDING')).privateKey);

    const pending = await json(['inspect', 'blocked', '--stage', 'pending']);
    expect([pending.code, pending.answer]).toMatchObject([
      0,
      { stage: 'AWSPENDING', certificates: [{ subject: 'CN=blocked' }, {}, {}], pending: { hasValue: true } },
    ]);
    const under = 'rotation-under-way';
    const add = await json(['destinations', 'blocked', 'add', 'other.example']);
    const file = on.pem('2.pem', issue('blocked'));
    const replace = await json(['import', 'blocked', file, '--replace']);
    expect([add.code, add.answer.error.code, replace.code, replace.answer.error.code]).toEqual([1, under, 1, under]);
    // `list` changes nothing, and goes on.
    expect((await json(['destinations', 'blocked', 'list'])).code).toBe(0);

    const out = join(on.folder.path, 'pack');
    const pack = await json(['trust-pack', 'blocked', '--out', out]);
    expect([pack.code, pack.answer.next[0]]).toMatchObject([0, { role: 'client', subject: 'CN=blocked' }]);
    expect(pack.answer.files).toContain('next/client.pem');
    expect(readFileSync(join(out, 'next/client.pem'), 'utf8')).toBe(
      (await document('blocked', 'AWSPENDING')).certificate,
    );
    expect(readFileSync(join(out, 'client.pem'), 'utf8')).toBe(current.certificate);
    const text = readFileSync(join(out, 'README.md'), 'utf8');
    // It ends at another root, which the customer must trust before.
    expect(text).toContain(
      'Its root is **another one**: trust `next/platform-root.pem` **beside** `platform-root.pem`',
    );
    for (const { fingerprint256 } of [pack.answer.next[0], pack.answer.next.at(-1)])
      expect(text).toContain(fingerprint256);

    // Ctrl-C ends the waiting, and not the rotation.
    const args = [mainFile, 'identity', 'rotate', 'blocked', '--wait', ...on.there];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        printed += chunk;
        if (printed.includes('The next version')) child.kill('SIGINT');
      });
    }
    expect(await new Promise((ended) => child.once('close', ended))).toBe(130);
    expectNothingSecret(printed);
    expect((await labels('blocked')).AWSPENDING).toBe(waits.answer.version);

    // Gone on with, by the same words that begin one.
    const again = await json(['rotate', 'blocked']);
    expect([again.code, again.answer]).toMatchObject([0, { outcome: 'resumed', version: waits.answer.version }]);
    expect((await labels('blocked')).AWSPENDING).toBe(waits.answer.version);
    expect(await identity(['rotate', 'blocked', '--wait', '--timeout', 'x'])).toMatchObject({ code: 2 });
  });

  it('is rejected if rotation is not set up', async () => {
    const on = await secretsGround(cloud.secretsManagerUrl);
    const { identity, json, pem } = on;
    await json(['import', 'none', pem('bot.pem', issue('none')), ...nowhere]);
    expect(await identity(['rotate', 'none'])).toMatchObject({
      code: 1,
      out: '',
      error: expect.stringMatching(/^No rotation is set up for "none" \(docs\/deploy\.md, "Rotate an identity"\)/),
    });
    expect(await identity(['rotate', 'absent'])).toMatchObject({ code: 1 });
  });
});
