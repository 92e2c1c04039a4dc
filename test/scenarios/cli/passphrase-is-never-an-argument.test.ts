// Passphrases of an import come from a file, a variable or a prompt, never from the command line, and are never shown.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  atTerminal,
  contentsOf,
  expectNothingSecret,
  ground,
  issue,
  passphrase,
} from '../../support/cli/identity-ground.ts';
import { findPeer } from '../../support/peers.ts';

/** Of util-linux: what it runs has a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;
const openssl = findPeer('openssl');

const destination = ['--destination', 'api.acme.example', '--no-reach'];

/** A ground with `bot.p12`, and the path of that. */
function withKeystore() {
  const on = ground();
  const issued = issue();
  const { folder } = on;
  const args = ['pkcs12', '-export', '-in', on.pem('bot.pem', issued), '-passout', `pass:${passphrase}`];
  const file = join(folder.path, 'bot.p12');
  const { status, stderr } = spawnSync(openssl ?? 'openssl', [...args, '-name', 'bot', '-out', file]);
  if (status !== 0) throw new Error(stderr.toString());
  return { ...on, issued, file };
}

describe('a passphrase in an argument', () => {
  it.each([
    [['--passphrase', passphrase]],
    [[`--passphrase=${passphrase}`]],
    [['--password', passphrase]],
    [[`--password=${passphrase}`]],
    [[`--pass=${passphrase}`]],
    [['--passphrase']],
  ])('is rejected, and not repeated (%#)', async (args) => {
    const { identity, folder, directory } = ground();
    const { code, out, error } = await identity(['import', 'acme', folder.write('bot.p12', 'x'), ...args]);
    expect([code, out, error]).toEqual([
      2,
      '',
      'A passphrase in an argument is visible to every user of the machine and stays in the shell history. Use --passphrase-file or --passphrase-env, or give no option to be asked.\n',
    ]);
    expect(contentsOf(directory)).toEqual({});
  });
});

describe.skipIf(!openssl)('a passphrase (needs openssl)', () => {
  it('is the first line of a file', async () => {
    const { json, folder, file } = withKeystore();
    const from = folder.write('passphrase.txt', `${passphrase}\r\na second line\n`);
    const { code, answer } = await json(['import', 'acme', file, '--passphrase-file', from, ...destination]);
    expect([code, answer.outcome]).toEqual([0, 'imported']);
  });

  it.each([
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${passphrase}\r\n`)],
    ['UTF-16, as PowerShell writes it', Buffer.from(`\ufeff${passphrase}\r\n`, 'utf16le')],
    ['UTF-16 with the higher octet first', Buffer.from(`\ufeff${passphrase}\n`, 'utf16le').swap16()],
    ['UTF-16 without a mark', Buffer.from(`${passphrase}\r\n`, 'utf16le')],
  ])('is read from a file in %s', async (_what, bytes) => {
    const { json, folder, file } = withKeystore();
    const from = join(folder.path, 'passphrase.txt');
    writeFileSync(from, bytes);
    const { code, answer } = await json(['import', 'acme', file, '--passphrase-file', from, ...destination]);
    expect([code, answer.outcome]).toEqual([0, 'imported']);
  });

  it('that is missing, or ends with a blank, has a different error than a wrong one', async () => {
    const { identity, folder, file } = withKeystore();
    const empty = await identity(['import', 'acme', file, '--passphrase-file', folder.write('empty.txt', '')]);
    expect([empty.code, empty.error]).toEqual([2, expect.stringMatching(/^The file .+empty\.txt is empty\. /)]);
    const blank = ['--passphrase-file', folder.write('blank.txt', `${passphrase} \n`)];
    const wrong = await identity(['import', 'acme', file, ...blank]);
    expect([wrong.code, wrong.out]).toEqual([1, expect.stringContaining('The passphrase for bot.p12 is wrong')]);
    expect(wrong.error).toContain('warning: The passphrase ends with white space, which is part of it.');
    const other = await identity(['import', 'acme', file, '--passphrase-file', folder.write('other.txt', 'no\n')]);
    expect(other.error).not.toContain('blank');
  });

  it('is read from a variable, or from standard input', async () => {
    const { json, file } = withKeystore();
    const environment = { BOT_PASSPHRASE: passphrase };
    const variable = await json(['import', 'one', file, '--passphrase-env', 'BOT_PASSPHRASE', ...destination], {
      environment,
    });
    const piped = await json(['import', 'two', file, '--passphrase-file', '-', ...destination], {
      stdin: `${passphrase}\n`,
    });
    expect([variable.code, piped.code]).toEqual([0, 0]);
  });

  it('that is wrong, missing or given twice is one error sentence', async () => {
    const { json, identity, folder, file, directory } = withKeystore();
    const wrong = await json(['import', 'acme', file, '--passphrase-file', folder.write('wrong.txt', 'no')]);
    expect([wrong.code, wrong.answer.findings[0]]).toMatchObject([
      1,
      {
        code: 'passphrase-wrong',
        severity: 'error',
        sentence: 'The passphrase for bot.p12 is wrong: the MAC of the PKCS#12 file does not match it.',
      },
    ]);
    const none = await json(['import', 'acme', file]);
    expect([none.code, none.answer.findings[0].code]).toEqual([1, 'passphrase-needed']);
    const unset = await identity(['import', 'acme', file, '--passphrase-env', passphrase]);
    expect([unset.code, unset.error]).toEqual([
      2,
      'The environment variable that --passphrase-env names is not set.\n',
    ]);
    const both = ['--passphrase-env', 'A', '--passphrase-file', 'b'];
    expect(await identity(['import', 'acme', file, ...both])).toMatchObject({ code: 2, out: '' });
    const missing = await identity(['import', 'acme', file, '--passphrase-file', 'nowhere.txt']);
    expect([missing.code, missing.error]).toEqual([2, 'There is no file nowhere.txt.\n']);
    expect(contentsOf(directory)).toEqual({});
  });
});

describe.skipIf(!openssl || !hasScript)('a passphrase prompt (needs openssl and script)', () => {
  it('does not show the passphrase', async () => {
    const { source, directory, file } = withKeystore();
    const question: [string, string] = ['Passphrase of bot.p12:', `${passphrase}\r`];
    const { code, shown } = await atTerminal(['import', 'acme', file, '--source', source, ...destination], [question]);
    expect(code).toBe(0);
    expect(shown).toContain('is imported in the directory');
    // Neither how long it is, nor a key that shows it.
    const typing = shown.slice(shown.indexOf('Passphrase of'), shown.indexOf('Proving it'));
    expect(typing).not.toMatch(/\*|masked|ctrl/);
    expect(existsSync(join(directory, 'acme/private-key.pem'))).toBe(true);
  });

  it('does not write to standard output', async () => {
    const { source, folder, file } = withKeystore();
    const out = join(folder.path, 'answer.json');
    const args = ['import', 'acme', file, '--source', source, ...destination, '--json'];
    const { code } = await atTerminal(args, [['Passphrase of bot.p12:', `${passphrase}\r`]], {}, out);
    expect(code).toBe(0);
    const answer = readFileSync(out, 'utf8');
    expectNothingSecret(answer);
    expect(JSON.parse(answer)).toMatchObject({ outcome: 'imported' });
  });

  it('reports a wrong passphrase, and Ctrl-C stores nothing and ends with 130', async () => {
    const { source, directory, file } = withKeystore();
    const args = ['import', 'acme', file, '--source', source];
    const wrong = await atTerminal(args, [['Passphrase of bot.p12:', 'wrong\r']]);
    expect([wrong.code, wrong.shown]).toEqual([1, expect.stringContaining('The passphrase for bot.p12 is wrong')]);
    const interrupted = await atTerminal(args, [['Passphrase of bot.p12:', 'Correct-\u0003']]);
    expect(interrupted.code).toBe(130);
    expect(contentsOf(directory)).toEqual({});
  });
});
