// `countersign identity import` of what cannot be used: one sentence for each finding, exit code 1, and nothing stored.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { authorities, contentsOf, expired, type Ground, ground, issue } from '../../support/cli/identity-ground.ts';

const { platformRoot } = authorities;

/** What is wrong, to the files that are given and to what each sentence says, in order. */
const refusals: Readonly<
  Record<string, { files(ground: Ground): readonly string[]; codes: readonly string[]; said: RegExp }>
> = {
  'the key of another certificate': {
    files: ({ folder }) => [folder.write('key.pem', issue().privateKey), folder.write('c.pem', chainOf(issue()))],
    codes: ['key-without-certificate'],
    said: /^The private key in key\.pem does not belong to any certificate; .+ CN=bot \(c\.pem, block 1\)\.$/,
  },
  'a certificate that expired': {
    files: ({ pem }) => [pem('bot.pem', expired())],
    codes: ['expired'],
    said: /^CN=bot \(bot\.pem, block 2\) expired on /,
  },
  'a certificate for servers': {
    files: ({ pem }) => [pem('bot.pem', issue('bot', { usage: 'server' }))],
    codes: ['extended-key-usage'],
    said: /does not allow client authentication\.$/,
  },
  'a certificate signed with SHA-1': {
    files: ({ pem }) => [pem('bot.pem', issue('bot', { signatureHash: 'sha1' }))],
    codes: ['weak-signature'],
    said: /is signed with ecdsa-with-SHA1, which is broken\.$/,
  },
  'a chain without its intermediate': {
    files: ({ folder }) => {
      const { privateKey, certificate, root } = issue();
      return [folder.write('bot.pem', privateKey + certificate + root)];
    },
    codes: ['issuer-missing'],
    said: /^The issuer of "CN=bot", which is "CN=Platform Issuer", is not among the certificates\.$/,
  },
  'a chain without its root': {
    files: ({ folder }) => {
      const { privateKey, certificate, intermediates } = issue();
      return [folder.write('bot.pem', privateKey + certificate + intermediates)];
    },
    codes: ['root-missing'],
    said: /^The issuer of "CN=Platform Issuer", which is "CN=Platform Root", is not among the certificates\.$/,
  },
  'a text': {
    files: ({ folder }) => [folder.write('notes.txt', 'The key comes tomorrow.')],
    codes: ['format-unknown', 'no-key', 'no-certificate'],
    said: /^notes\.txt is neither a key nor a certificate nor a keystore\.$/,
  },
};

const chainOf = ({ certificate, intermediates, root }: ReturnType<typeof issue>) => certificate + intermediates + root;

describe('an import that is rejected', () => {
  it.each(Object.entries(refusals))('%s', async (_what, { files, codes, said }) => {
    const on = ground();
    const ran = await on.json(['import', 'acme', ...files(on)]);
    expect([ran.code, ran.answer.outcome, ran.answer.identity]).toEqual([1, 'refused', 'acme']);
    expect(ran.answer.findings.map(({ code }: { code: string }) => code)).toEqual(codes);
    expect(ran.answer.findings[0].sentence).toMatch(said);
    expect(ran.error).not.toContain('Storing');
    expect(contentsOf(on.directory)).toEqual({});
  });

  it('prints all findings at once, as text on standard output', async () => {
    const { pem, identity, directory } = ground();
    const [notBefore, notAfter] = [new Date('2020-01-01'), new Date('2021-01-01')];
    const all = issue('bot', { usage: 'server', signatureHash: 'sha1', notBefore, notAfter });
    const { code, out } = await identity(['import', 'acme', pem('bot.pem', all)]);
    expect(code).toBe(1);
    const lines = out.trimEnd().split('\n');
    expect(lines.slice(0, -1).map((line) => /^✗ .+\. \(([a-z-]+)\)$/.exec(line)?.[1])).toEqual([
      'weak-signature',
      'extended-key-usage',
      'expired',
    ]);
    expect(lines.at(-1)).toBe('"acme" is refused; nothing was stored.');
    expect(contentsOf(directory)).toEqual({});
  });

  it('keeps the current identity if its replacement is rejected', async () => {
    const { directory, pem, put, json } = ground();
    put('acme', issue('in-use'), [{ host: 'api.acme.example' }]);
    const before = contentsOf(directory);
    const { code, answer } = await json(['import', 'acme', pem('bot.pem', expired()), '--replace']);
    expect([code, answer.findings[0].code]).toEqual([1, 'expired']);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('warns about a certificate that expires soon, and imports it', async () => {
    const { pem, json } = ground();
    const [notBefore, notAfter] = [new Date(Date.now() - 86_400_000 * 80), new Date(Date.now() + 86_400_000 * 10)];
    const soon = issue('bot', { notBefore, notAfter }, platformRoot);
    const { code, answer, error } = await json(['import', 'acme', pem('bot.pem', soon), '--destination', 'a.example']);
    expect([code, answer.warnings.map((one: { code: string }) => one.code)]).toEqual([0, ['expires-soon']]);
    expect(error).toMatch(/^warning: CN=bot .+$/m);
  });
});

describe('a command line that is wrong', () => {
  it.each([
    [['import'], "missing required argument 'name'"],
    [['import', 'acme'], "missing required argument 'files'"],
    [['import', 'Acme', 'a.pem'], '"Acme" is not a valid name of an identity. A name has 1 to 63 lower-case letters'],
    [['import', 'key.pem', 'a.pem'], '"key.pem" is not a name of an identity. Write '],
    [['import', 'acme', 'a', '--destination', 'b', '--network', 'internal'], '--network must be "public", "private"'],
    [['import', 'acme', 'missing.pem'], 'There is no file missing.pem.'],
    [['import', 'acme', '/'], '/ is a folder. Name the files in it.'],
    [['import', 'acme', 'a', '--destination', 'http://a'], 'http://a is not https'],
    [['import', 'acme', 'a', '--destination', 'a', '--destinations', 'b'], 'not both'],
    [['import', 'acme', 'a', '--destinations', 'nowhere.json'], 'There is no file nowhere.json.'],
    [
      ['import', 'acme', 'a', '--require-mutual'],
      '--require-mutual applies only to destinations that --destination names. In a file each destination has its own settings.',
    ],
    [
      ['import', 'acme', 'a', '--destinations', 'package.json', '--pin', 'x'],
      '--pin applies only to destinations that --destination names',
    ],
    [['import', 'acme', 'package.json', '--source', 'nowhere'], '--source must be directory:PATH, local or aws.'],
    [
      ['import', 'acme', 'package.json', '--source', 'directory:/nowhere'],
      'There is no directory /nowhere. Create it first',
    ],
    [['import', 'acme', 'package.json', '--source', 'directory:/etc/passwd'], 'There is no directory /etc/passwd'],
  ])('%j', async (args, said) => {
    const { identity } = ground();
    const { code, out, error } = await identity(args);
    expect([code, out, error]).toEqual([2, '', expect.stringContaining(said)]);
    // One sentence, or commander's two lines.
    expect(error.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
  });

  it('the other verbs name a missing argument as well', async () => {
    const { identity, directory } = ground();
    const absent = `There is no identity "acme" in the directory ${directory}.\n`;
    for (const args of [
      ['inspect'],
      ['rollback', '--yes'],
      ['destinations', 'list'],
      ['trust-pack', '--out', join(directory, 'x')],
    ]) {
      const [verb = '', ...rest] = args;
      expect(await identity([verb, 'acme', ...rest])).toMatchObject({ code: 1, out: '', error: absent });
    }
  });
});
