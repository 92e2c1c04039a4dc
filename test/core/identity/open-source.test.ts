// The modules that a process loads when it opens its identity source.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { openSource } from '../../../core/identity/open-source.ts';
import { readSettings } from '../../../core/settings.ts';
import { failureOf } from '../../support/identity/identities.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-source-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The packages of the AWS SDK that a process has loaded once it has opened its source. */
function sdkFilesLoaded(setting: string): number {
  const source = pathToFileURL(resolve(import.meta.dirname, '../../../core/identity/open-source.ts')).href;
  const config = pathToFileURL(resolve(import.meta.dirname, '../../../core/settings.ts')).href;
  const script = `
    const { openSource } = await import(${JSON.stringify(source)});
    const { readSettings } = await import(${JSON.stringify(config)});
    await openSource(readSettings({ COUNTERSIGN_IDENTITY_SOURCE: ${JSON.stringify(setting)} }));
    const { default: Module } = await import('node:module');
    console.log(Object.keys(Module._cache).filter((file) => file.includes('@aws-sdk')).length);`;
  const environment = { ...process.env, AWS_REGION: 'eu-west-1' };
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: environment }).toString());
}

describe('the source of identities', () => {
  it('is the configured directory, without loading the AWS SDK', async () => {
    expect(sdkFilesLoaded(`directory:${folder}`)).toBe(0);
    const source = await openSource(readSettings({ COUNTERSIGN_IDENTITY_SOURCE: `directory:${folder}` }));
    const failure = await failureOf(() => createIdentityCache({ source, ttlMs: 1_000 }).get('platform'));
    expect(failure.evidence?.reason).toBe('no-files');
  });

  it('is Secrets Manager otherwise', () => {
    expect(sdkFilesLoaded('secrets-manager')).toBeGreaterThan(0);
  });
});
