// Runs the commands of docs/import.md and imports each file; the page lists every finding code.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findingCodes } from '../../../cli/import/finding.ts';
import { identityFrom } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { createSubject, passphrase, textFile } from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/import.md'), 'utf8');

describe.skipIf(!findPeer('openssl') || !findPeer('keytool'))('docs/import.md (needs openssl and keytool)', () => {
  it('has commands whose output is imported', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-page-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const subject = createSubject('EC_P256');
    const [certificate, ...rest] = subject.certificates;
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
    write('key.pem', subject.privateKey);
    write('certificate.pem', certificate);
    write('chain.pem', rest.join(''));
    write('passphrase.txt', `${passphrase}\n`);
    const [, commands = ''] = /```sh\n([\s\S]*?)```/.exec(page) ?? [];
    execFileSync('sh', ['-ec', commands], { cwd: folder, stdio: 'pipe' });
    const read = (name: string) => textFile(name, readFileSync(join(folder, name)));
    const made = readdirSync(folder).filter((name) => !/^(key|certificate|chain)\.pem$|txt$|p7b$/.test(name));
    expect(made).toHaveLength(9);
    for (const name of made) {
      const contents = await readFiles(
        [read(name), ...(/^key/.test(name) ? [read('chain.p7b')] : [])],
        async () => passphrase,
      );
      const result = identityFrom(contents, { now: Date.now() });
      expect('document' in result && result.document, name).toMatchObject({
        privateKey: subject.privateKey,
        certificate,
        rootCertificate: rest.at(-1),
      });
    }
  });
});

it.each(findingCodes)('%s is on the page', (code) => {
  expect(page).toContain(`\`${code}\``);
});
