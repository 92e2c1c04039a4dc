// A replica in a second region: a command that would change it changes nothing and names the region of the primary.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { issue } from '../../support/cli/identity-ground.ts';
import { type SecretsGround, secretsGround } from '../../support/cli/identity-secrets.ts';
import { listen } from '../../support/http/wire.ts';

/** As Secrets Manager answers in the region of a replica; reads are those of the primary. */
const writes = /\.(PutSecretValue|UpdateSecretVersionStage|RotateSecret|UpdateSecret|TagResource)$/;
const notPermitted = {
  __type: 'InvalidParameterException',
  Message: "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
};

async function replicaOf(primary: SecretsGround): Promise<{ readonly on: SecretsGround; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const target = String(request.headers['x-amz-target']);
    asked.push(target.split('.')[1] ?? '');
    const type = { 'content-type': 'application/x-amz-json-1.1' };
    if (writes.test(target)) return response.writeHead(400, type).end(JSON.stringify(notPermitted));
    const signed = Object.entries(request.headers).filter(([name]) => /^(x-amz-.*|authorization)$/.test(name));
    const headers = { ...type, ...(Object.fromEntries(signed) as Record<string, string>) };
    const answer = await fetch(primary.url, { method: 'POST', headers, body });
    const found = JSON.parse(await answer.text());
    const isState = answer.ok && /\.DescribeSecret$/.test(target);
    return response
      .writeHead(answer.status, type)
      .end(JSON.stringify(isState ? { ...found, PrimaryRegion: 'eu-central-1' } : found));
  });
  const port = await listen(server);
  onTestFinished(() => void server.close());
  return { on: await secretsGround(`http://127.0.0.1:${port}`), asked };
}

async function imported(): Promise<SecretsGround> {
  const primary = await secretsGround();
  const bot = primary.pem('bot.pem', issue('acme'));
  const made = await primary.json(['import', 'acme', bot, '--destination', 'api.acme.example']);
  expect(made.code).toBe(0);
  return primary;
}

describe('against a replica', () => {
  it.each([
    ['import', (on: SecretsGround) => ['import', 'acme', on.pem('next.pem', issue('acme')), '--replace']],
    ['destinations', () => ['destinations', 'acme', 'add', 'api.globex.example']],
    ['rotate', () => ['rotate', 'acme']],
    ['rollback', () => ['rollback', 'acme', '--yes']],
    ['csr', () => ['csr', 'acme', '--reuse-key']],
  ])('%s changes nothing and names the primary region', async (_, args) => {
    const primary = await imported();
    const bot = primary.pem('bot2.pem', issue('acme'));
    expect((await primary.json(['import', 'acme', bot, '--replace'])).code).toBe(0);
    const before = await primary.labels('acme');
    const { on, asked } = await replicaOf(primary);
    const ran = await on.identity(args(on));
    expect({ code: ran.code, error: ran.error }).toEqual({
      code: 1,
      error: expect.stringContaining(
        'The secret countersign/identities/acme in this region is a replica, which cannot be changed. ' +
          'Use --region eu-central-1, the region of its primary; the replica follows.',
      ),
    });
    expect(await primary.labels('acme')).toEqual(before);
    expect(asked.filter((action) => writes.test(`.${action}`))).toEqual([]);
  });

  it('inspect works', async () => {
    const { on } = await replicaOf(await imported());
    expect((await on.json(['inspect', 'acme'])).code).toBe(0);
  });
});

it('a primary that has replicas is changed as usual', async () => {
  const primary = await imported();
  const changed = await primary.json(['destinations', 'acme', 'add', 'api.globex.example']);
  expect(changed.code).toBe(0);
});
