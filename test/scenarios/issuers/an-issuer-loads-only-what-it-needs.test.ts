// A rotation asks one issuer: the libraries of the others are not read from disk for it.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { authorityArn } from '../../support/issuers/private-ca.ts';

const source = pathToFileURL(resolve(import.meta.dirname, '../../../core/issuers/open-issuer.ts')).href;

/** Files of the AWS SDK and of the ASN.1 libraries, which are CommonJS, that a process has loaded once it has opened its issuer. */
function loadedFor(settings: object): { readonly sdk: boolean; readonly asn1: boolean } {
  const script = `
    const { openIssuer } = await import(${JSON.stringify(source)});
    await openIssuer(${JSON.stringify(settings)});
    const { default: Module } = await import('node:module');
    const files = Object.keys(Module._cache);
    console.log(JSON.stringify({ sdk: files.some((file) => file.includes('client-acm-pca')), asn1: files.some((file) => file.includes('@peculiar')) }));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

it.each<[object, boolean, boolean]>([
  [{ kind: 'manual' }, false, false],
  [{ kind: 'local', url: 'http://127.0.0.1:1/certificates' }, false, false],
  [{ kind: 'aws-private-ca', certificateAuthorityArn: authorityArn }, true, false],
])('%j', (settings, sdk, asn1) => {
  expect(loadedFor(settings)).toEqual({ sdk, asn1 });
});
