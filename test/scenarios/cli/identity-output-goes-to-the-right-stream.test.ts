// `countersign identity …` as a program among others: help, colours on a terminal alone, pipes that close, Ctrl-C.
import { spawn, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  atTerminal,
  contentsOf,
  expectNothingSecret,
  expired,
  ground,
  issue,
} from '../../support/cli/identity-ground.ts';
import { mainFile, root, runCommand } from '../../support/cli/run-command.ts';

/** Of util-linux: what it runs has a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

const verbs = ['import', 'list', 'inspect', 'csr', 'complete', 'rotate', 'rollback', 'destinations', 'trust-pack'];

function withIdentities() {
  const on = ground();
  on.put('acme', issue('bot'), [{ host: 'api.acme.example' }]);
  on.put('ended', expired('old'));
  return on;
}

describe('the verbs of identities', () => {
  it('have help with an example each, and are all named in the help of identity', async () => {
    const helps = await Promise.all(verbs.map((verb) => runCommand(['identity', verb, '--help'])));
    for (const [index, { code, out, error }] of helps.entries()) {
      expect([code, error]).toEqual([0, '']);
      expect(out).toContain(`Usage: countersign identity ${verbs[index]} [options]`);
      expect(out).toMatch(new RegExp(`^Examples?:\n {2}countersign identity ${verbs[index]}\\b`, 'm'));
      for (const option of ['--json', '--source <source>', '--help']) expect(out).toContain(option);
      // What is there to be refused is not advertised.
      expect(out).not.toMatch(/--(passphrase|password|pass) /);
    }
    const { out } = await runCommand(['identity', '--help']);
    for (const verb of verbs) expect(out).toMatch(new RegExp(`^ {2}${verb} `, 'm'));
    const unknown = await runCommand(['identity', 'forget', 'acme']);
    expect([unknown.code, unknown.out]).toEqual([2, '']);
  });

  it('list every identity with its days, and end with 0; inspect ends with 1 for an unusable identity', async () => {
    const { identity, json, directory } = withIdentities();
    const listed = await identity(['list']);
    expect([listed.code, listed.error]).toEqual([0, '']);
    expect(listed.out.split('\n')).toEqual([
      expect.stringMatching(/^✓ acme {3}\d{4}-\d\d-\d\d {2}CN=bot {2}364 days left$/),
      expect.stringMatching(/^✗ ended {2}\d{4}-\d\d-\d\d {2}CN=old {2}expired {2}expired 1 day ago$/),
      // Why, in words.
      expect.stringMatching(/^ {4}certificate expired on \d{4}-.+\.$/),
      '',
    ]);
    const sound = await json(['inspect', 'acme']);
    expect([sound.code, sound.answer]).toMatchObject([
      0,
      {
        place: `${directory}/acme`,
        stage: 'AWSCURRENT',
        isUsable: true,
        hasPrevious: false,
        pending: null,
        hasRequest: false,
        certificates: [{ role: 'client', pin: expect.stringMatching(/^sha256\/.{44}$/) }, {}, { role: 'root' }],
        destinations: [{ host: 'api.acme.example' }],
      },
    ]);
    const ended = await identity(['inspect', 'ended']);
    expect([ended.code, ended.out]).toEqual([1, expect.stringMatching(/unusable: .+ \(expired\)\n/)]);
    expect(ended.out).toContain('  any public host on port 443 (no destination is listed)\n');
    expect(ended.out).toContain('  by hand: no renewal is set\n');
  });

  it('write no colour into a pipe, and stop silently when the reader closes it', async () => {
    const { source, identity } = withIdentities();
    for (const { out, error } of [await identity(['list']), await identity(['inspect', 'ended'])])
      expect(out + error).not.toContain('\u001b');
    const piped = `{ '${process.execPath}' '${mainFile}' identity inspect acme --source '${source}'; echo "code $?" >&2; } | true`;
    const { error } = await runCommand(['-c', piped], { program: '/bin/sh' });
    expect(error).toBe('code 0\n');
  });

  it('list identities that wait for their first certificate', async () => {
    const { identity } = ground();
    await identity(['csr', 'fresh']);
    const listed = await identity(['list']);
    expect([listed.code, listed.out]).toEqual([
      0,
      '✗ fresh  –    request-waits\n    A certificate request waits for its first certificate: countersign identity csr prints it, complete stores the certificate.\n',
    ]);
  });

  it('end with 0 if Ctrl-C comes after the change is stored, and report it', async () => {
    const { source, identity } = withIdentities();
    const words = ['destinations', 'acme', 'add', 'late.example', '--source', source, '--no-reach'];
    const child = spawn(process.execPath, [mainFile, 'identity', ...words], { cwd: root });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('Storing it')) child.kill('SIGINT');
    });
    expect(await new Promise((ended) => child.once('close', ended))).toBe(0);
    expect(out).toContain('late.example:443');
    expect((await identity(['destinations', 'acme', 'list'])).out).toContain('late.example:443');
  });

  it('store nothing or everything after Ctrl-C during the work, and end with 130', async () => {
    const { source, pem, directory, identity } = ground();
    const args = [mainFile, 'identity', 'import', 'acme', pem('bot.pem', issue()), '--source', source];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      printed += chunk;
      if (chunk.includes('Reading one file.')) child.kill('SIGINT');
    });
    const code = await new Promise((ended) => child.once('close', ended));
    expectNothingSecret(printed);
    // Stored before it came, it stays.
    if (code === 0) expect(await identity(['inspect', 'acme'])).toMatchObject({ code: 0 });
    else {
      expect(code).toBe(130);
      expect(contentsOf(directory)).toEqual({});
    }
  });
});

describe.skipIf(!hasScript)('the verbs of identities at a terminal (needs script)', () => {
  it('have colours, and none with NO_COLOR', async () => {
    const { source } = withIdentities();
    const coloured = await atTerminal(['list', '--source', source]);
    expect([coloured.code, coloured.shown]).toEqual([0, expect.stringContaining('\u001b[32m✓\u001b[39m acme')]);
    expect(coloured.shown).toContain('\u001b[31mexpired 1 day ago\u001b[39m');
    const inspected = await atTerminal(['inspect', 'acme', '--source', source]);
    expect(inspected.shown).toContain('\u001b[32m364 days left\u001b[39m');
    for (const args of [
      ['list', '--source', source],
      ['inspect', 'absent', '--source', source],
    ]) {
      const { shown } = await atTerminal(args, [], { NO_COLOR: '1' });
      expect(shown).not.toContain('\u001b');
    }
    // JSON is for programs, at a terminal too.
    const { shown } = await atTerminal(['inspect', 'acme', '--json', '--source', source]);
    expect(JSON.parse(shown)).toMatchObject({ identity: 'acme', isUsable: true });
  });
});
