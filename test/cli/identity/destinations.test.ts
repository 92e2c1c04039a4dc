// `countersign identity destinations` on a directory: list, add, remove and set, with their errors and warnings.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDestinations } from '../../../cli/identity/destination-options.ts';
import { contentsOf, ground, issue } from '../../support/cli/identity-ground.ts';

const hosts = ({ destinations }: { destinations: { host: string }[] }) => destinations.map(({ host }) => host);
const pin = `sha256/${'A'.repeat(43)}=`;

function withDestinations(destinations?: readonly object[]) {
  const on = ground();
  on.put('acme', issue(), destinations);
  const change = (...args: readonly string[]) => on.json(['destinations', 'acme', ...args]);
  return { ...on, change };
}

describe('countersign identity destinations', () => {
  it('adds, lists and removes, by host and port', async () => {
    const { change, identity, directory } = withDestinations([{ host: 'one.example', note: 1 }].slice(1));
    expect((await change('list')).answer).toMatchObject({ outcome: 'unchanged', destinations: [] });
    const settings = [
      '--require-mutual',
      '--network',
      'private',
      '--pin',
      pin,
      '--probe',
      '/health',
      '--server-name',
      'api.one.example',
    ];
    const added = await change('add', 'https://one.example:8443', '*.two.example', '[fd00::1]:9000', ...settings);
    const common = {
      serverName: 'api.one.example',
      serverPins: [pin],
      requireMutual: true,
      network: 'private',
      probe: { path: '/health' },
    };
    expect([added.code, added.answer]).toEqual([
      0,
      {
        identity: 'acme',
        outcome: 'changed',
        place: `the directory ${directory}`,
        destinations: [
          { host: 'one.example', port: 8443, ...common },
          { host: '*.two.example', ...common },
          { host: 'fd00::1', port: 9000, ...common },
        ],
      },
    ]);
    const listed = await identity(['destinations', 'acme', 'list']);
    expect(listed.out.split('\n').slice(1, 4)).toEqual([
      `  one.example:8443, serverName api.one.example, serverPins ["${pin}"], requireMutual, network private, probe {"path":"/health"}`,
      expect.stringMatching(/^ {2}\*\.two\.example:443, /),
      expect.stringMatching(/^ {2}\[fd00::1\]:9000, /),
    ]);
    const removed = await change('remove', 'ONE.example:8443', '[fd00::1]:9000');
    expect([removed.code, hosts(removed.answer)]).toEqual([0, ['*.two.example']]);
    const last = await change('remove', '*.two.example');
    expect([last.code, last.answer.destinations, last.error]).toEqual([
      0,
      [],
      expect.stringContaining('warning: "acme" has no destinations now and cannot be used.\n'),
    ]);
    // The identity is still one: nothing but its destinations was changed.
    expect(await identity(['inspect', 'acme'])).toMatchObject({ code: 0 });
  });

  it('rejects a duplicate and an unknown destination, and changes nothing', async () => {
    const { change, directory } = withDestinations([{ host: 'one.example' }, { host: '*' }]);
    const before = contentsOf(directory);
    const there = await change('add', 'two.example', 'https://One.example');
    expect([there.code, there.answer.error]).toEqual([
      1,
      {
        code: 'destination-exists',
        detail:
          'https://One.example is a destination of "acme" already. To change its settings, remove it and add it again, or set all destinations.',
      },
    ]);
    const absent = await change('remove', 'one.example', 'one.example:8443');
    expect([absent.code, absent.answer.error]).toEqual([
      1,
      {
        code: 'destination-missing',
        detail:
          'one.example:8443 is not a destination of "acme". The port must match, and * matches only the destination *.',
      },
    ]);
    const twice = await change('add', 'two.example', 'two.example:443');
    expect([twice.code, twice.answer.error.detail]).toEqual([
      2,
      'two.example:443 has the host and port of an earlier destination.',
    ]);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('replaces all, from the command line or a file, and --dry-run stores nothing', async () => {
    const { change, directory, folder } = withDestinations([{ host: 'one.example' }]);
    const before = contentsOf(directory);
    const file = folder.write('list.json', JSON.stringify([{ host: 'a.example' }, { host: 'b.example', port: 1 }]));
    const dry = await change('set', '--file', file, '--dry-run');
    expect([dry.code, dry.answer.outcome, hosts(dry.answer)]).toEqual([
      0,
      'would-be-changed',
      ['a.example', 'b.example'],
    ]);
    expect((await change('remove', 'one.example', '--dry-run')).answer).toMatchObject({
      outcome: 'would-be-changed',
      destinations: [],
    });
    expect(contentsOf(directory)).toEqual(before);
    expect(hosts((await change('set', '--file', file)).answer)).toEqual(['a.example', 'b.example']);
    expect(hosts((await change('set', 'c.example')).answer)).toEqual(['c.example']);
    const piped = await ground().json(
      ['destinations', 'acme', 'set', '--file', '-', '--source', `directory:${directory}`],
      {
        stdin: '[]',
      },
    );
    expect([piped.code, piped.answer.destinations]).toEqual([0, []]);
  });

  it('warns that a first destination restricts an identity without destinations', async () => {
    const { change } = withDestinations();
    expect((await change('list')).answer.destinations).toBe(null);
    const removed = await change('remove', '*');
    expect([removed.code, removed.answer.error.detail]).toEqual([
      1,
      '"acme" lists no destination, so it can be presented to any public host. Set the destinations that it needs.',
    ]);
    const added = await change('add', 'one.example');
    expect([added.code, hosts(added.answer), added.error]).toEqual([
      0,
      ['one.example'],
      expect.stringContaining(
        'warning: Until now "acme" could be presented to any public host on port 443. From now on only to the listed destinations.\n',
      ),
    ]);
  });

  it('lists the destinations without an action', async () => {
    const { change, identity } = withDestinations([{ host: 'one.example' }]);
    expect((await change()).answer).toEqual((await change('list')).answer);
    expect((await identity(['destinations', 'acme'])).out).toContain('  one.example:443\n');
  });

  it('warns about * only when it is added', async () => {
    const { change } = withDestinations([{ host: 'one.example' }]);
    const sentence = 'warning: "acme": the destination * allows any public host on port 443.\n';
    expect((await change('add', '*')).error).toContain(sentence);
    expect((await change('add', 'two.example')).error).not.toContain('any public host');
    expect((await change('set', '*:8443')).error).toContain('any public host on port 8443.\n');
  });

  it('shows the fingerprints of the serverRoots of a destination', async () => {
    const { change, folder } = withDestinations([]);
    const { root } = issue();
    const { answer } = await change('add', 'one.example', '--server-roots', folder.write('roots.pem', root));
    expect(answer.destinations[0].serverRoots).toEqual([expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)]);
    expect((await change('list')).answer.destinations).toEqual(answer.destinations);
  });

  it.each([
    [['grant', 'a.example'], '"grant" is not an action. Write list, add, remove, set before the places.'],
    [['list', 'a.example'], 'list takes no destinations.'],
    [['list', '--dry-run'], '--dry-run works only with add, remove and set.'],
    [['add'], 'Name the destinations to add: host, host:port or https://host:port.'],
    [['remove'], 'Name the destinations to remove'],
    [['add', 'a.example', '--file', 'x'], '--file works only with set.'],
    [['set'], 'Give either destinations or --file.'],
    [['set', 'a.example', '--file', 'x'], 'Give either destinations or --file.'],
    [
      ['set', '--file', 'package.json', '--require-mutual'],
      '--require-mutual applies only to destinations that the command line names',
    ],
    [['remove', 'a.example', '--probe', '/'], '--probe applies only to destinations that are added or set.'],
    [['set', '--file', 'README.md'], '--file: README.md is not JSON.'],
    [['set', '--file', 'package.json'], 'destinations must be a list.'],
  ])('%j is a wrong command line', async (args, said) => {
    const { identity } = withDestinations([{ host: 'one.example' }]);
    const { code, out, error } = await identity(['destinations', 'acme', ...args]);
    expect([code, out, error]).toEqual([2, '', expect.stringContaining(said)]);
  });

  it.each([
    [['*.*.example'], {}, '*.*.example: the host must be'],
    [['a.example:65536'], {}, 'a.example:65536: the port must be a whole number from 1 to 65535.'],
    [['a.example:0'], {}, 'a.example:0: the port must be a whole number from 1 to 65535.'],
    [['a b'], {}, 'a b: the host must be'],
    [['http://a.example'], {}, 'http://a.example is not https. An identity is used only with TLS.'],
    [['https://me:pw@a.example'], {}, 'A destination must not contain a user or a password.'],
    [['::1'], {}, '::1 is not a destination. Write host, host:port or https://host:port.'],
    [['a.example'], { network: 'all' }, '--network must be'],
    [['a.example'], { pin: ['sha256/x'] }, '--pin must be'],
    [['a.example'], { probe: 'health' }, '--probe must'],
    [['a.example'], { serverRoots: 'package.json' }, '--server-roots must be PEM certificates.'],
  ])('%j with %j is rejected with the reason', async (texts, options, said) => {
    await expect(parseDestinations(texts, options, async (path) => readFileSync(path))).rejects.toThrow(said);
  });
});
