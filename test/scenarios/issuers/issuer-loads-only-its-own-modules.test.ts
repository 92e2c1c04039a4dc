// Opening an issuer loads the libraries of that issuer alone.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { authorityArn } from '../../support/issuers/private-ca.ts';

const source = pathToFileURL(resolve(import.meta.dirname, '../../../core/issuers/open-issuer.ts')).href;

/** Whether a process that opened its issuer has loaded the SDK's client, which is CommonJS. */
function loadsSdkFor(settings: object): boolean {
  const script = `
    const { openIssuer } = await import(${JSON.stringify(source)});
    await openIssuer(${JSON.stringify(settings)});
    const { default: Module } = await import('node:module');
    const files = Object.keys(Module._cache);
    console.log(files.some((file) => file.includes('client-acm-pca')));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

it.each<[object, boolean]>([
  [{ kind: 'manual' }, false],
  [{ kind: 'local', url: 'http://127.0.0.1:1/certificates' }, false],
  [{ kind: 'aws-private-ca', certificateAuthorityArn: authorityArn }, true],
])('%j', (settings, isLoaded) => {
  expect(loadsSdkFor(settings)).toBe(isLoaded);
});
