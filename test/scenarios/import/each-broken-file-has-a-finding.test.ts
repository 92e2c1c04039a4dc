// Each broken file has a finding with a code and a sentence without secrets; docs/import.md lists each code.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { identityFrom } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { now } from '../../support/import/broken.ts';
import { brokenFiles } from '../../support/import/broken-files.ts';
import { brokenIdentities } from '../../support/import/broken-identities.ts';
import { brokenByKeytool, brokenByOpenssl } from '../../support/import/broken-stores.ts';
import { openWorkshop, passphrase } from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

const read = (name: string) => readFileSync(join(import.meta.dirname, '../../../docs', name), 'utf8');
const page = read('import.md');
const pages = page + read('identities.md');
const workshop = openWorkshop();
afterAll(() => workshop.close());

/** Fingerprints and sizes differ from run to run. */
function steady(text: string): string {
  return text
    .replaceAll(/(?:[0-9A-F]{2}:){7}[0-9A-F]{2}/g, 'AA:BB:…')
    .replaceAll(/has \d{6} bytes/g, 'has 136000 bytes');
}

const tables = {
  files: brokenFiles(),
  'what OpenSSL wrote (needs openssl)': findPeer('openssl') ? brokenByOpenssl(workshop) : [],
  'what keytool wrote (needs openssl and keytool)':
    findPeer('openssl') && findPeer('keytool') ? brokenByKeytool(workshop) : [],
  identities: brokenIdentities(),
};

describe.each(Object.entries(tables))('%s', (_name, cases) => {
  it.each(cases.map((broken) => [broken.given, broken] as const))('%s', async (_given, broken) => {
    const secret = 'passphrase' in broken ? broken.passphrase : passphrase;
    const contents = await readFiles(broken.files, async () => secret);
    const result = identityFrom(contents, { now, publicRoots: [], ...broken.settings });
    if ('document' in result) return expect.fail('It was imported.');
    const said = result.map(({ code, sentence }) => [code, steady(sentence)]);
    expect(said).toEqual(broken.says.map(([code, sentence]) => [code, steady(sentence)]));
    const text = JSON.stringify({ result, notes: contents.notes });
    for (const secret of [passphrase, 'Another-Horse-7302', 'guess', '-----', 'MII', 'MIG'])
      expect(text).not.toContain(secret);
    for (const { sentence } of result) expect(sentence).toMatch(/^\S.+\.$/);
    for (const { code } of result) expect(pages).toContain(`\`${code}\``);
  });
});

it('the example of the page is the output of the last case', () => {
  const everything = tables.identities.find(({ given }) => given === 'everything at once');
  const printed = everything?.says.map(([code, sentence]) => `✗ ${sentence} (${code})\n`).join('');
  expect(page).toContain(`\`\`\`text\n${printed}\`\`\`\n`);
});
