// The command line: help on every verb, rejected arguments, --json, --version, the calling shell, and secrets that are
// never printed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { openContext } from '../../../cli/context.ts';
import { addVerbs } from '../../../cli/verbs/all.ts';
import { directoryFor, listen } from '../../support/cli/customer.ts';
import { root, runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

interface Verb {
  readonly words: readonly string[];
  readonly command: Command;
}

function below(command: Command, words: readonly string[] = []): Verb[] {
  const here = { words, command };
  return [here, ...command.commands.flatMap((one) => below(one, [...words, one.name()]))];
}

const program = new Command('countersign');
addVerbs(program, openContext(process));
const verbs = below(program);
const leaves = verbs.filter(({ command }) => command.commands.length === 0);

describe('help', () => {
  it.each(verbs)('of countersign $words names each option and each verb below it', async ({ words, command }) => {
    const { code, out, error } = await runCommand([...words, '--help']);
    expect([code, error]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`^Usage: ${['countersign', ...words].join(' ')} `));
    for (const { hidden, flags } of command.options) if (!hidden) expect(out).toContain(`  ${flags}`);
    for (const one of command.commands) expect(out).toContain(`  ${one.name()} `);
    if (command.commands.length === 0) expect(out).toMatch(/\nExamples?:\n {2}countersign /);
    expect(out).not.toContain('\u001b');
  });

  it('is the same in every spelling', async () => {
    const [first, ...others] = await Promise.all(
      [
        ['identity', 'import', '--help'],
        ['identity', 'import', '-h'],
        ['identity', 'help', 'import'],
        ['help', 'identity', 'import'],
      ].map((args) => runCommand(args)),
    );
    for (const other of others) expect([other.code, other.out]).toEqual([0, first?.out]);
  });
});

describe('a wrong command line', () => {
  it.each([
    [['no-such-verb'], "error: unknown command 'no-such-verb'"],
    [['identity', 'no-such-verb'], "error: unknown command 'no-such-verb'"],
    [['invok', 'https://a.example'], '(Did you mean invoke?)'],
    ...['import', 'list', 'rotate', 'trust-pack'].map((verb): [string[], string] => [
      [verb, 'acme'],
      `'${verb}'\n(Did you mean countersign identity ${verb}?)`,
    ]),
    [['--no-such-option'], "error: unknown option '--no-such-option'"],
    [['diagnose'], "error: missing required argument 'url'"],
    [['serve'], '--identities'],
  ])('%j ends with 2, the reason, and a pointer to help', async (args, sentence) => {
    const { code, out, error } = await runCommand(args);
    expect([code, out, error]).toEqual([2, '', expect.stringContaining(sentence)]);
  });

  it.each([[[]], [['identity']]])('%j without arguments ends with 2 and shows help', async (args) => {
    const { code, out, error } = await runCommand(args);
    expect([code, out, error]).toEqual([2, '', expect.stringMatching(/^Usage: countersign /)]);
  });

  it.each(leaves.filter(({ words }) => words[0] !== 'serve'))(
    'of $words is JSON with --json',
    async ({ words, command }) => {
      const needed = command.options.filter(({ mandatory }) => mandatory).flatMap(({ long }) => [long ?? '', 'x']);
      const { code, out, error } = await runCommand([...words, ...needed, '--no-such-option', '--json']);
      expect([code, JSON.parse(out)]).toEqual([
        2,
        { error: { code: 'usage', detail: expect.stringContaining("unknown option '--no-such-option'") } },
      ]);
      expect(error).toContain('Add --help to print the verbs and options.');
    },
  );

  it('is JSON wherever it is detected', async () => {
    for (const args of [['diagnose'], ['identity'], ['invoke', 'a', 'b'], ['doctor', '--source', 'x']]) {
      const { code, out } = await runCommand([...args, '--json']);
      expect([code, JSON.parse(out).error.code], args.join(' ')).toEqual([2, 'usage']);
    }
  });

  it.each([['-ualice:secret-word'], ['--token=secret-word'], ['--password=secret-word']])(
    'does not repeat the value of %s',
    async (option) => {
      const { code, out, error } = await runCommand(['invoke', option, 'https://a.example', '--json']);
      expect(code).toBe(2);
      expect(error).toContain('unknown option');
      expect(out + error).not.toContain('secret-word');
    },
  );

  it('includes a setting that cannot be read', async () => {
    const source = ['--source', `directory:${directoryFor(1)}`];
    const environment = { COUNTERSIGN_IDENTITY_TTL_SECONDS: 'soon' };
    const { code, out, error } = await runCommand(['diagnose', 'https://localhost:1', ...source], { environment });
    expect([code, out]).toEqual([2, '']);
    expect(error).toBe('COUNTERSIGN_IDENTITY_TTL_SECONDS must be a whole number of seconds from 1 to 86400.\n');
  });
});

describe('the command', () => {
  it('prints its version', async () => {
    expect(await runCommand(['--version'])).toMatchObject({ code: 0, out: `${version}\n`, error: '' });
  });

  it('runs as an npm script, from a folder below, with an older Node first on PATH', async () => {
    const cwd = join(root, 'docs');
    const PATH = (process.env.PATH ?? '')
      .split(':')
      .filter((one) => !one.includes('node_modules'))
      .join(':');
    // npm asks its registry for news otherwise.
    const environment = {
      PATH,
      HOME: privateFolder().path,
      npm_config_update_notifier: 'false',
      npm_config_offline: 'true',
    };
    const ran = await runCommand(['run', '--silent', 'countersign', '--', '--version'], {
      program: 'npm',
      cwd,
      environment,
    });
    expect([ran.code, ran.out]).toEqual([0, `${version}\n`]);
  });

  it('prints no keys, tokens or headers', async () => {
    const { port } = await listen((_request, response) => response.end('ok'));
    const folder = directoryFor(port);
    const key = readFileSync(join(folder, 'platform/private-key.pem'), 'utf8');
    const secret = key.split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(60);
    const source = ['--source', `directory:${folder}`];
    const url = `https://localhost:${port}`;
    for (const args of [
      ['invoke', url, '-v', '-H', 'authorization: Bearer secret-word', '-d', 'secret-word'],
      ['invoke', url, '--json', '-H', 'authorization: Bearer secret-word'],
      ['invoke', 'https://localhost:1', '-v', '-H', 'authorization: Bearer secret-word'],
      ['invoke', url, '-H', 'authorization Bearer secret-word'],
      ['diagnose', url, '--json'],
      ['doctor', '--json'],
      ['identity', 'list', '--json'],
      ['identity', 'inspect', 'platform', '--json'],
    ]) {
      const { out, error } = await runCommand([...args, ...source]);
      expect((out + error).length, args.join(' ')).toBeGreaterThan(0);
      expect(out + error, args.join(' ')).not.toContain(secret);
      expect(out + error, args.join(' ')).not.toContain('PRIVATE KEY');
      expect(out + error, args.join(' ')).not.toContain('secret-word');
    }
  });
});
