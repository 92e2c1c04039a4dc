// What is broken is told: each case by its code and its sentence, nothing secret in any of them, and the page says the same.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { identityFrom } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { type Broken, now } from '../../support/import/broken.ts';
import { brokenFiles } from '../../support/import/broken-files.ts';
import { brokenIdentities } from '../../support/import/broken-identities.ts';
import { brokenByKeytool, brokenByOpenssl } from '../../support/import/broken-stores.ts';
import { openWorkshop, passphrase } from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/import.md'), 'utf8');
const workshop = openWorkshop();
afterAll(() => workshop.close());

/** Fingerprints and sizes differ from run to run; the page shows one of each. */
function steady(text: string): string {
  return text
    .replaceAll(/(?:[0-9A-F]{2}:){7}[0-9A-F]{2}/g, 'AA:BB:…')
    .replaceAll(/has \d{6} bytes/g, 'has 136000 bytes');
}

function lineOf({ given, says }: Broken): string {
  const codes = says.map(([code]) => `\`${code}\``).join('<br>');
  return `| ${given} | ${codes} | ${says.map(([, sentence]) => steady(sentence)).join('<br>')} |`;
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
    expect(page).toContain(lineOf(broken));
  });
});

it('the page has no line that is not tried', () => {
  if (tables['what keytool wrote (needs openssl and keytool)'].length === 0) return;
  const tried = new Set(Object.values(tables).flat().map(lineOf));
  const lines = page.split('\n').filter((line) => /^\| .*\| `[a-z-]+`(<br>`[a-z-]+`)* \| .*\.(<br>.*)? \|$/.test(line));
  expect(lines.filter((line) => !tried.has(line))).toEqual([]);
  const sentences = Object.values(tables).flatMap((cases) => cases.flatMap(({ says }) => says.map(([, each]) => each)));
  expect(new Set(sentences).size).toBeGreaterThan(60);
});
