// `countersign identity import` into a directory: what it stores, what it says, and what it leaves alone.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directorySource } from '../../../core/identity/directory.ts';
import { contentsOf, ground, issue } from '../../support/cli/identity-ground.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';

const destination = ['--destination', 'https://api.acme.example:8443'];

describe('countersign identity import', () => {
  it('imports an identity from files in any order, and reports what it stored where', async () => {
    const { folder, directory, identity } = ground();
    const { privateKey, certificate, intermediates, root } = issue();
    const files = [
      folder.write('a', root),
      folder.write('b', intermediates),
      folder.write('c', privateKey),
      folder.write('d', certificate),
    ];
    const { code, out, error } = await identity(['import', 'acme', ...files, ...destination, '--require-mutual']);
    expect(error).toBe(
      `Reading 4 files.\nTesting it by handshakes with a server that trusts only its root.\nStoring it in the directory ${directory}.\n`,
    );
    expect(code).toBe(0);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^ {2}client {8}CN=bot, to \d{4}-\d\d-\d\d {2}d$/);
    expect(lines[1]).toMatch(/^ {2}intermediate {2}CN=Platform Issuer, to .+ {2}b$/);
    expect(lines[2]).toMatch(/^ {2}root {10}CN=Platform Root, to .+ {2}a$/);
    expect(lines.slice(3, 6)).toEqual([
      'Destinations',
      '  api.acme.example:8443, requireMutual',
      '✓ tested by handshakes over TLS 1.2 and TLS 1.3',
    ]);
    const { version, document } = await directorySource(directory).read('acme', 'AWSCURRENT');
    expect(lines[6]).toBe(`✓ "acme" is imported in the directory ${directory}, version ${version}.`);
    const stored = JSON.parse(document);
    expect(stored).toMatchObject({
      privateKey,
      certificate,
      intermediateCertificates: intermediates,
      rootCertificate: root,
      destinations: [{ host: 'api.acme.example', port: 8443, requireMutual: true }],
    });
    // Its owner's alone.
    expect(statSync(join(directory, 'acme/private-key.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'acme')).mode & 0o777).toBe(0o700);
  });

  it('prints the same as JSON, and warns about an identity without destinations', async () => {
    const { directory, pem, json } = ground();
    const { code, answer, error } = await json(['import', 'acme', pem('bot.pem', issue())]);
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      identity: 'acme',
      outcome: 'imported',
      place: `the directory ${directory}`,
      version: expect.stringMatching(/^[0-9a-f]{64}$/),
      chain: [{ role: 'client', subject: 'CN=bot' }, { role: 'intermediate' }, { role: 'root' }],
      warnings: [{ code: 'any-public-host', sentence: expect.stringContaining('any public host') }],
    });
    expect(answer).not.toHaveProperty('destinations');
    expect(error).toMatch(/^warning: No destination is listed, /m);
  });

  it('warns of a destination that is any host', async () => {
    const { json, pem } = ground();
    const { code, answer } = await json(['import', 'acme', pem('bot.pem', issue()), '--destination', '*']);
    expect([code, answer.warnings]).toEqual([
      0,
      [
        {
          code: 'any-public-host',
          sentence: 'The destination * allows any public host on port 443.',
        },
      ],
    ]);
  });

  it('keeps an existing identity, replaces it with --replace, and keeps settings that are not given', async () => {
    const { directory, pem, identity, json } = ground();
    const [first, second] = [issue('bot-1'), issue('bot-2')];
    await identity(['import', 'acme', pem('1.pem', first), ...destination]);
    const before = contentsOf(directory);
    const refused = await json(['import', 'acme', pem('2.pem', second)]);
    expect([refused.code, refused.answer]).toEqual([
      1,
      {
        error: {
          code: 'identity-exists',
          detail: `There is an identity "acme" in the directory ${directory} already. Use --replace to store a new version of it.`,
        },
      },
    ]);
    expect(contentsOf(directory)).toEqual(before);

    const replaced = await json(['import', 'acme', pem('2.pem', second), '--replace']);
    expect([replaced.code, replaced.answer.outcome, replaced.answer.warnings]).toEqual([0, 'replaced', []]);
    const now = await directorySource(directory).read('acme', 'AWSCURRENT');
    expect(now.version).toBe(replaced.answer.version);
    expect(JSON.parse(now.document)).toMatchObject({
      certificate: second.certificate,
      destinations: [{ host: 'api.acme.example', port: 8443 }],
    });
    // As a new version: the one before is kept.
    const previous = await json(['inspect', 'acme', '--stage', 'previous']);
    expect(previous.answer.certificates[0].subject).toBe('CN=bot-1');

    const anew = await json(['import', 'acme', pem('1.pem', first), '--replace', '--destination', 'other.example']);
    expect(anew.answer.destinations).toEqual([{ host: 'other.example' }]);
  });

  it('imports with --replace if there is no such identity', async () => {
    const { pem, json } = ground();
    const { code, answer } = await json(['import', 'acme', pem('bot.pem', issue()), '--replace', ...destination]);
    expect([code, answer.outcome]).toEqual([0, 'imported']);
  });

  it('--dry-run stores nothing and leaves no files, for a new and for an existing identity', async () => {
    const { directory, pem, json, identity } = ground();
    const file = pem('bot.pem', issue());
    const { code, answer, error } = await json(['import', 'acme', file, ...destination, '--dry-run']);
    expect([code, answer.outcome, answer.chain.length]).toEqual([0, 'would-be-imported', 3]);
    expect(error).not.toContain('Storing');
    expect(contentsOf(directory)).toEqual({});
    await identity(['import', 'acme', file, ...destination]);
    const before = contentsOf(directory);
    const again = await identity(['import', 'acme', pem('2.pem', issue()), '--replace', '--dry-run']);
    expect([again.code, again.out.split('\n').at(-2)]).toEqual([
      0,
      `Nothing was stored: without --dry-run "acme" would be replaced in the directory ${directory}.`,
    ]);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('reads standard input only once', async () => {
    const { pem, json, identity } = ground();
    const stdin = readFileSync(pem('bot.pem', issue()));
    const { code, answer } = await json(['import', 'acme', '-', ...destination], { stdin });
    expect([code, answer.chain[0].source]).toEqual([0, 'standard input, block 2']);
    const twice = await identity(['import', 'other', '-', '--passphrase-file', '-'], { stdin });
    expect([twice.code, twice.error]).toEqual([2, 'Standard input (-) can be read only once.\n']);
  });

  it('reads a pipe with a slow writer, and does not wait for a pipe without a writer', async () => {
    const { source, pem, identity, folder } = ground();
    const file = pem('bot.pem', issue());
    const words = `'${process.execPath}' '${mainFile}' identity import`;
    const more = `--source '${source}' --destination a.example --no-reach`;
    const late = `${words} acme <(sleep 0.5; head -c 100 '${file}'; sleep 0.5; tail -c +101 '${file}') ${more}`;
    const substituted = await runCommand(['--norc', '-c', late], { program: 'bash' });
    expect([substituted.code, substituted.error]).toEqual([0, expect.stringContaining('Storing it')]);
    const pipe = join(folder.path, 'pipe');
    const named = `mkfifo '${pipe}'; { sleep 0.5; cat '${file}' > '${pipe}'; } & ${words} named '${pipe}' ${more}`;
    expect((await runCommand(['--norc', '-c', named], { program: 'bash' })).code).toBe(0);
    const absent = await identity(['import', 'absent', pipe]);
    expect([absent.code, absent.error]).toEqual([2, `No process writes to the pipe ${pipe}.\n`]);
  });

  it('replaces the files of cert-manager, which are unused afterwards', async () => {
    const { directory, pem, json } = ground();
    const { privateKey, certificate, intermediates, root } = issue('from-cert-manager');
    mkdirSync(join(directory, 'acme'));
    for (const [file, text] of Object.entries({
      'tls.key': privateKey,
      'tls.crt': certificate + intermediates,
      'ca.crt': root,
    }))
      writeFileSync(join(directory, 'acme', file), text, { mode: 0o640 });
    const next = issue('next');
    const { code } = await json(['import', 'acme', pem('bot.pem', next), '--replace', ...destination]);
    expect(code).toBe(0);
    const { document } = await directorySource(directory).read('acme', 'AWSCURRENT');
    expect(JSON.parse(document).certificate).toBe(next.certificate);
    expect(existsSync(join(directory, 'acme/tls.key'))).toBe(false);
    // A group could read the key before, and reads it now.
    expect(statSync(join(directory, 'acme/private-key.pem')).mode & 0o777).toBe(0o640);
    const back = await json(['rollback', 'acme', '--yes']);
    expect([back.code, back.answer.current.certificates[0].subject]).toEqual([0, 'CN=from-cert-manager']);
    const restored = await directorySource(directory).read('acme', 'AWSCURRENT');
    expect(JSON.parse(restored.document).certificate.trim()).toBe(certificate.trim());
  });
});
