// docs/issuers.md: its examples are renewals, its reasons are all there, and its commands for signing by hand work as
// written.
import { execFile } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { issuerKinds, parseRenewal } from '../../../core/identity/renewal.ts';
import { renewalReasons } from '../../../core/identity/unusable.ts';
import { issuedReasons } from '../../../core/issuers/issuer-response.ts';
import { startAuthority } from '../../../local/authority/server.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { openPipeline } from '../../support/rotation/rotation-pipeline.ts';

const read = (page: string) => readFileSync(join(import.meta.dirname, '../../../docs', page), 'utf8');
const page = read('issuers.md');
const run = promisify(execFile);

function section(title: string): string {
  return page.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? '';
}

function fenced(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block);
}

it.each([...fenced(page, 'json'), ...fenced(read('identities.md').split('## `renewal`')[1] ?? '', 'json')])(
  'an example is a renewal: %s',
  (example) => {
    const { renewal } = JSON.parse(example) as { renewal: unknown };
    expect(parseRenewal(renewal).issuer.kind).toMatch(/^[a-z-]+$/);
  },
);

it('each issuer has its section', () => {
  const titles = [...page.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title.toLowerCase());
  for (const kind of issuerKinds) expect(titles).toContain(kind);
});

it('each reason for which a renewal cannot be used is on the page of errors', () => {
  const [, told = ''] = read('errors.md').split('\n## renewal-unusable\n');
  const named = [...(told.split('\n## ')[0] ?? '').matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, reason]) => reason);
  expect(new Set(named)).toEqual(new Set(renewalReasons));
});

it('each reason for which a certificate is not used has its row', () => {
  const rows = [...section('Checks on the issued certificate').matchAll(/^\| `([a-z-]+)` \|/gm)].map(
    ([, reason]) => reason,
  );
  expect(rows).toEqual([...issuedReasons]);
});

describe.skipIf(!findPeer('aws') || !findPeer('jq'))('signing by hand (needs the AWS CLI and jq)', () => {
  async function waiting() {
    const pipeline = await openPipeline();
    const [, commands = ''] = fenced(section('manual'), 'sh');
    const folder = privateFolder();
    const { certificate, privateKey } = pipeline.authorities.platformIssuer;
    folder.write('issuer.pem', certificate);
    folder.write('issuer.key', privateKey);
    const before = pipeline.document(
      { renewal: { issuer: { kind: 'manual' } }, note: 'kept' },
      { notAfter: new Date(Date.now() + 5 * 86_400_000) },
    );
    await pipeline.create('acme', before);
    const event = await pipeline.rotateSecret('acme');
    expect((await failureOf(() => pipeline.run(event))).code).toBe('signature-awaited');
    expect(Object.values(await pipeline.stages('acme')).flat()).toContain('COUNTERSIGN_REQUEST');
    async function shell(script: string): Promise<{ stdout: string }> {
      folder.write(
        'run',
        `set -euo pipefail\nsecret=countersign/identities/acme\naws() { command aws --endpoint-url ${pipeline.secretsUrl} --region us-east-1 "$@"; }\n${script}`,
      );
      return await run('bash', ['run'], { cwd: folder.path });
    }
    return { pipeline, event, commands, shell, before };
  }

  it('works with the commands of the page', { timeout: 60_000 }, async () => {
    const { pipeline, event, commands, shell, before } = await waiting();
    expect((await shell(commands)).stdout).toContain('certificate.pem: OK');
    await pipeline.run(event);

    const after = await pipeline.value('acme');
    const next = new X509Certificate(after.certificate);
    expect(after).toMatchObject({ note: 'kept', renewal: { issuer: { kind: 'manual' } } });
    expect(next.subject).toBe(new X509Certificate((before as { certificate: string }).certificate).subject);
    expect(next.checkPrivateKey(createPrivateKey(after.privateKey))).toBe(true);
    expect(Object.values(await pipeline.stages('acme')).flat()).not.toContain('COUNTERSIGN_REQUEST');
  });

  it('finds a certificate for servers before it is put in; one that was put in is followed by another version', {
    timeout: 60_000,
  }, async () => {
    const { pipeline, event, commands, shell } = await waiting();
    const forServers = commands.replace('extendedKeyUsage=clientAuth', 'extendedKeyUsage=serverAuth');
    await expect(shell(forServers)).rejects.toThrow('unsuitable certificate purpose');
    expect(await pipeline.stages('acme')).toMatchObject({ [event.ClientRequestToken]: ['AWSPENDING'] });
    // Without the check.
    const unlooked = forServers.replace(/^openssl verify .*$/m, 'true');
    await shell(unlooked);
    expect((await failureOf(() => pipeline.run(event))).code).toBe('identity-unusable');

    const [, wayOut = ''] = /`(version=\$\(cat [^`]+)`/.exec(section('manual')) ?? [];
    await shell(commands.replace(/^version=.*$/m, wayOut));
    const [next] = Object.entries(await pipeline.stages('acme')).find(([, all]) => all.includes('AWSPENDING')) ?? [];
    expect(next).not.toBe(event.ClientRequestToken);
    await pipeline.run({ ...event, ClientRequestToken: String(next) });
    const labels = Object.values(await pipeline.stages('acme')).flat();
    expect(labels.sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  });
});

it.skipIf(!findPeer('curl'))('the local authority answers the command of the page (needs curl)', async () => {
  const { authorities } = await openPipeline();
  const server = await startAuthority({ authority: authorities.platformIssuer, port: 0 });
  const [command = ''] = fenced(section('local'), 'sh');
  const folder = privateFolder();
  folder.write('run', `set -euo pipefail\n${command.replace('http://127.0.0.1:8082/certificates', server.url)}`);
  const { stdout } = await run('bash', ['run'], { cwd: folder.path });
  expect(new X509Certificate(stdout).subject).toBe('CN=bot');
  await server.close();
});
