// `countersign identity` on the local cloud's Secrets Manager: every change is a new version that takes AWSCURRENT from
// the version it is based on.
import { spawn } from 'node:child_process';
import { CreateSecretCommand, DeleteSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { checkIdentity } from '../../../core/identity/check.ts';
import { authorities, issue, neverPrint } from '../../support/cli/identity-ground.ts';
import { prefix, secretsGround } from '../../support/cli/identity-secrets.ts';
import { mainFile, root, runCommand } from '../../support/cli/run-command.ts';
import { signedBy } from '../../support/rotation/rotation-pipeline.ts';
import { documentOf } from '../../support/stage.ts';

const destination = ['--destination', 'api.acme.example'];

describe('an identity in Secrets Manager', () => {
  it('is imported as a secret, and replaced only with --replace, as a new version', async () => {
    const { url, pem, identity, json, labels, document } = await secretsGround();
    const [first, second] = [issue('first'), issue('second')];
    const dry = await json(['import', 'acme', pem('1.pem', first), ...destination, '--dry-run']);
    expect([dry.code, dry.answer.outcome]).toEqual([0, 'would-be-imported']);
    expect((await json(['list'])).answer).toEqual({ place: `the local cloud at ${url}`, identities: [] });

    const made = await json(['import', 'acme', pem('1.pem', first), ...destination, '--renewal', 'manual']);
    expect([made.code, made.answer.outcome]).toEqual([0, 'imported']);
    expect(await labels('acme')).toEqual({ AWSCURRENT: made.answer.version });
    expect(await document('acme')).toEqual({
      privateKey: first.privateKey,
      certificate: first.certificate,
      intermediateCertificates: first.intermediates,
      rootCertificate: first.root,
      destinations: [{ host: 'api.acme.example' }],
      renewal: { issuer: { kind: 'manual' } },
    });

    const refused = await identity(['import', 'acme', pem('2.pem', second)]);
    expect([refused.code, refused.out, refused.error]).toEqual([
      1,
      '',
      `There is an identity "acme" in the local cloud at ${url} already. Use --replace to store a new version of it.\n`,
    ]);
    const replaced = await json(['import', 'acme', pem('2.pem', second), '--replace']);
    expect([replaced.code, replaced.answer.outcome]).toEqual([0, 'replaced']);
    expect(await labels('acme')).toEqual({ AWSCURRENT: replaced.answer.version, AWSPREVIOUS: made.answer.version });
    expect(await document('acme')).toMatchObject({
      certificate: second.certificate,
      destinations: [{ host: 'api.acme.example' }],
      renewal: { issuer: { kind: 'manual' } },
    });

    // Back, and back from that.
    const back = await json(['rollback', 'acme', '--yes']);
    expect([back.code, back.answer.current.certificates[0].subject]).toEqual([0, 'CN=first']);
    expect(await labels('acme')).toEqual({ AWSCURRENT: made.answer.version, AWSPREVIOUS: replaced.answer.version });
    await json(['rollback', 'acme', '--yes']);
    expect(await labels('acme')).toEqual({ AWSCURRENT: replaced.answer.version, AWSPREVIOUS: made.answer.version });
  });

  it('keeps the previous version and unknown members if only its destinations change', async () => {
    const { client, identity, json, labels, document } = await secretsGround();
    const [first, second] = [issue('first'), issue('second')];
    const own = { owner: 'team-7', destinations: [{ host: 'one.example' }] };
    const put = (issued: typeof first, more: object) =>
      JSON.stringify({ ...JSON.parse(documentOf(issued, [])), ...more });
    await client.send(new CreateSecretCommand({ Name: `${prefix}acme`, SecretString: put(first, own) }));
    await client.send(new PutSecretValueCommand({ SecretId: `${prefix}acme`, SecretString: put(second, own) }));
    const before = await labels('acme');
    const added = await json(['destinations', 'acme', 'add', 'two.example']);
    expect([added.code, added.answer.destinations]).toEqual([0, [{ host: 'one.example' }, { host: 'two.example' }]]);
    const after = await labels('acme');
    expect(after).toEqual({ AWSCURRENT: expect.any(String), AWSPREVIOUS: before.AWSPREVIOUS });
    expect(after.AWSCURRENT).not.toBe(before.AWSCURRENT);
    expect(await document('acme')).toMatchObject({ owner: 'team-7', certificate: second.certificate });
    const dry = await json(['destinations', 'acme', 'set', 'three.example', '--dry-run']);
    expect(dry.answer.outcome).toBe('would-be-changed');
    expect(await labels('acme')).toEqual(after);
    const back = await identity(['rollback', 'acme', '--yes']);
    expect(back.error).toContain('CN=first');
  });

  it('is listed and inspected with its faults', async () => {
    const { client, identity, json, labels, pem, url } = await secretsGround();
    const create = (name: string, SecretString?: string) =>
      client.send(
        new CreateSecretCommand({ Name: prefix + name, ...(SecretString === undefined ? {} : { SecretString }) }),
      );
    const rest = {
      issuer: {
        kind: 'step-ca',
        url: 'https://ca.example/',
        root: issue().root,
        provisioner: 'p',
        provisionerPassword: 'Sesame-4711',
      },
    };
    await create('sound', JSON.stringify({ ...JSON.parse(documentOf(issue('sound'), [])), renewal: rest }));
    await create('broken', '{"privateKey": "Sesame-4711"}');
    await create('empty');
    await create('No-Identity', 'x');
    const { code, answer } = await json(['list']);
    expect([code, answer.identities]).toMatchObject([
      0,
      [
        { identity: 'broken', isUsable: false, problem: { reason: 'document-malformed' } },
        { identity: 'empty', isUsable: false, problem: { reason: 'no-value' } },
        { identity: 'sound', isUsable: true, subject: 'CN=sound', daysLeft: 364, destinations: 0 },
      ],
    ]);
    const lines = (await identity(['list'])).out.split('\n');
    expect(lines[0]).toMatch(/^✗ broken {2}– .* document-malformed$/);
    // Why, in words, below each that cannot be used.
    expect(lines[1]).toMatch(/^ {4}\S.+\.$/);
    expect(lines.slice(2, 4)).toEqual([
      expect.stringMatching(/^✗ empty {3}– .* no-value$/),
      '    Nothing is stored under this name yet.',
    ]);
    expect(lines[4]).toMatch(/^✓ sound {3}\d{4}-\d\d-\d\d {2}CN=sound {2}364 days left$/);
    const inspected = await identity(['inspect', 'sound']);
    expect([inspected.code, inspected.out]).toEqual([0, expect.stringMatching(/^sound {2}arn:aws:secretsmanager:/)]);
    expect(inspected.out).toContain('AWSCURRENT  version ');
    expect(inspected.out).toContain('  none: the identity cannot be used\n');
    const broken = await json(['inspect', 'broken']);
    expect([broken.code, broken.answer.isUsable]).toEqual([1, false]);
    for (const text of [inspected.out, broken.out, broken.error]) expect(text).not.toContain('Sesame');
    const empty = await identity(['inspect', 'empty']);
    expect([empty.code, empty.error]).toEqual([1, '"empty" has nothing at AWSCURRENT.\n']);
    expect((await identity(['inspect', 'absent'])).error).toBe(
      `There is no identity "absent" in the local cloud at ${url}.\n`,
    );
    expect(await identity(['inspect', 'sound', '--stage', 'next'])).toMatchObject({
      code: 2,
      error: '--stage must be current, pending or previous.\n',
    });
    expect((await json(['inspect', 'sound', '--stage', 'pending'])).answer.error.code).toBe('no-version');
    // A secret without a value is no identity that --replace would be needed for.
    const filled = await json(['import', 'empty', pem('bot.pem', issue()), ...destination]);
    expect([filled.code, filled.answer.outcome]).toEqual([0, 'imported']);
    expect(await labels('empty')).toEqual({ AWSCURRENT: filled.answer.version });
  });

  it('gets its first and its next certificate by hand', async () => {
    const { folder, identity, json, labels, document } = await secretsGround();
    const asked = await identity(['csr', 'acme', '--subject', 'CN=bot']);
    expect(asked.out).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----/);
    const kept = await document('acme', 'COUNTERSIGN_REQUEST');
    neverPrint(kept.privateKey);
    expect((await json(['list'])).answer.identities).toMatchObject([{ problem: { reason: 'request-waits' } }]);
    const back = async (request: string) => {
      const { certificates } = await signedBy(authorities.platformIssuer)({ certificateRequest: request } as never);
      return folder.write('back.pem', certificates);
    };
    const done = await json(['complete', 'acme', '--certificate', await back(asked.out), ...destination]);
    expect([done.code, done.answer.outcome]).toEqual([0, 'activated']);
    // The request is deleted, and no rollback to it is possible.
    expect(await labels('acme')).toEqual({ AWSCURRENT: kept.for });
    expect(await identity(['rollback', 'acme', '--yes'])).toMatchObject({ code: 1 });
    expect((await document('acme')).privateKey).toBe(kept.privateKey);

    const next = await json(['csr', 'acme']);
    expect(next.answer).toMatchObject({ made: true, subject: 'CN=bot' });
    const waiting = await document('acme', 'COUNTERSIGN_REQUEST');
    neverPrint(waiting.privateKey);
    expect((await labels('acme')).AWSCURRENT).toBe(kept.for);
    const wrong = await json(['complete', 'acme', '--certificate', folder.write('other.pem', issue().certificate)]);
    expect([wrong.code, wrong.answer.findings[0].code]).toEqual([1, 'key-without-certificate']);
    const file = await back(next.answer.certificateRequest);
    expect((await json(['complete', 'acme', '--certificate', file])).code).toBe(0);
    expect(await labels('acme')).toEqual({ AWSCURRENT: waiting.for, AWSPREVIOUS: kept.for });
  });

  it('is changed by one command at a time, and is one complete version wherever a command is killed', async () => {
    const { pem, json, identity, document, there } = await secretsGround();
    const versions = [issue('a'), issue('b'), issue('c')];
    const files = versions.map((version, index) => pem(`${index}.pem`, version));
    await identity(['import', 'acme', files[0] as string, ...destination]);
    const ran = await Promise.all(files.map((file) => json(['import', 'acme', file, '--replace'])));
    const done = ran.filter(({ code }) => code === 0);
    expect(done.length).toBeGreaterThan(0);
    for (const { code, answer } of ran) if (code !== 0) expect(answer.error.code).toBe('changed-meanwhile');

    for (let round = 0; round < 10; round += 1) {
      const args = [mainFile, 'identity', 'import', 'acme', files[round % 3] as string, '--replace', ...there];
      const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
      child.stderr.on('data', (chunk: Buffer) => {
        if (chunk.includes('Storing it')) setTimeout(() => child.kill('SIGKILL'), Math.random() * 60);
      });
      await new Promise((ended) => child.once('close', ended));
      const now = await document('acme');
      expect(versions.map(({ certificate }) => certificate)).toContain(now.certificate);
      const stored = { version: 'v', stage: 'AWSCURRENT', document: JSON.stringify(now) } as const;
      expect(() => checkIdentity('acme', stored, Date.now())).not.toThrow();
    }
    // Leftovers of killed processes do not block later ones.
    expect(await identity(['import', 'acme', files[1] as string, '--replace'])).toMatchObject({ code: 0 });
    expect((await document('acme')).certificate).toBe(versions[1]?.certificate);
  });

  it('that is scheduled for deletion is reported, and not treated as one without destinations', async () => {
    const { client, pem, identity } = await secretsGround();
    const [first, second] = [pem('1.pem', issue()), pem('2.pem', issue())];
    await identity(['import', 'acme', first, ...destination]);
    await client.send(new DeleteSecretCommand({ SecretId: `${prefix}acme` }));
    for (const args of [
      ['import', 'acme', second, '--replace'],
      ['inspect', 'acme'],
      ['csr', 'acme'],
      ['destinations', 'acme', 'list'],
      ['destinations', 'acme', 'add', 'other.example'],
    ]) {
      const { code, out, error } = await identity(args);
      expect([code, out]).toEqual([1, '']);
      expect(error).toContain('The secret of identity "acme" is scheduled for deletion.\n');
    }
  });

  it('is sent only to the named store, whatever AWS variables the environment has', async () => {
    const { pem, json, url, labels } = await secretsGround();
    const elsewhere = 'http://127.0.0.1:9';
    const environment = {
      AWS_ENDPOINT_URL: elsewhere,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: elsewhere,
      AWS_PROFILE: 'production',
      AWS_REGION: 'eu-central-1',
      AWS_USE_FIPS_ENDPOINT: 'true',
    };
    const made = await json(['import', 'acme', pem('1.pem', issue()), ...destination], { environment });
    expect([made.code, made.answer?.place]).toEqual([0, `the local cloud at ${url}`]);
    expect(await labels('acme')).toEqual({ AWSCURRENT: made.answer.version });
  });

  it('that cannot be reached ends with 3 and one sentence', async () => {
    const list = (args: readonly string[], environment: Record<string, string> = {}) =>
      runCommand(['identity', 'list', ...args], { environment });
    const nowhere = await list(['--source', 'local', '--endpoint', 'http://127.0.0.1:9']);
    expect([nowhere.code, nowhere.out, nowhere.error]).toEqual([
      3,
      '',
      'There is no local cloud at http://127.0.0.1:9.\nRun npm start, or name another store with --source: directory:PATH or aws.\n',
    ]);
    expect(await list(['--source', 'local', '--endpoint', 'https://secrets.example'])).toMatchObject({ code: 2 });
    expect(await list(['--source', 'aws', '--endpoint', 'http://secrets.example'])).toMatchObject({
      code: 2,
      error: '--endpoint must be https, unless it is on loopback.\n',
    });
    expect(await list(['--prefix', 'a b'])).toMatchObject({ code: 2 });
    expect(await list(['--region', 'nowhere'])).toMatchObject({ code: 2 });
  });
});
