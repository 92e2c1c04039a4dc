// `countersign identity destinations` on a directory: list, add, remove and set, what each refuses, and what it warns of.
import { describe, expect, it } from 'vitest';
import { destinationsFrom } from '../../../cli/identity/destination-words.ts';
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
      expect.stringContaining('warning: "acme" may go nowhere now.\n'),
    ]);
    // The identity is still one: nothing but its destinations was changed.
    expect(await identity(['inspect', 'acme'])).toMatchObject({ code: 0 });
  });

  it('refuses what is there already and what is not there, and changes nothing then', async () => {
    const { change, directory } = withDestinations([{ host: 'one.example' }, { host: '*' }]);
    const before = contentsOf(directory);
    const there = await change('add', 'two.example', 'https://One.example');
    expect([there.code, there.answer.error]).toEqual([
      1,
      {
        code: 'destination-exists',
        detail:
          'https://One.example is a destination of "acme" already: to change how it is reached, remove it and add it again, or set them all.',
      },
    ]);
    const absent = await change('remove', 'one.example', 'one.example:8443');
    expect([absent.code, absent.answer.error]).toEqual([
      1,
      {
        code: 'destination-missing',
        detail: 'one.example:8443 is no destination of "acme" (the port counts, and * is a destination of its own).',
      },
    ]);
    const twice = await change('add', 'two.example', 'two.example:443');
    expect([twice.code, twice.answer.error.detail]).toEqual([
      2,
      'two.example:443 has the host and port of an earlier destination.',
    ]);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('sets them all, from the line or from a file, and --dry-run stores nothing', async () => {
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

  it('says what a first destination means for an identity that could go anywhere', async () => {
    const { change } = withDestinations();
    expect((await change('list')).answer.destinations).toBe(null);
    const removed = await change('remove', '*');
    expect([removed.code, removed.answer.error.detail]).toEqual([
      1,
      '"acme" lists no destination, so it may go to any public host: set those it may go to.',
    ]);
    const added = await change('add', 'one.example');
    expect([added.code, hosts(added.answer), added.error]).toEqual([
      0,
      ['one.example'],
      expect.stringContaining(
        'warning: Until now "acme" could go to any public host on port 443; from now on only where it is listed.\n',
      ),
    ]);
  });

  it('lists them where no action is said', async () => {
    const { change, identity } = withDestinations([{ host: 'one.example' }]);
    expect((await change()).answer).toEqual((await change('list')).answer);
    expect((await identity(['destinations', 'acme'])).out).toContain('  one.example:443\n');
  });

  it('warns where * is new among them, and not again', async () => {
    const { change } = withDestinations([{ host: 'one.example' }]);
    const sentence = 'warning: "acme": the destination * lets the key go to any public host on port 443.\n';
    expect((await change('add', '*')).error).toContain(sentence);
    expect((await change('add', 'two.example')).error).not.toContain('any public host');
    expect((await change('set', '*:8443')).error).toContain('any public host on port 8443.\n');
  });

  it('shows the roots of a destination by their fingerprints', async () => {
    const { change, folder } = withDestinations([]);
    const { root } = issue();
    const { answer } = await change('add', 'one.example', '--server-roots', folder.write('roots.pem', root));
    expect(answer.destinations[0].serverRoots).toEqual([expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)]);
    expect((await change('list')).answer.destinations).toEqual(answer.destinations);
  });

  it.each([
    [['grant', 'a.example'], '"grant" is none of list, add, remove, set: write one of them before the places.'],
    [['list', 'a.example'], 'list takes no places.'],
    [['list', '--dry-run'], '--dry-run is for add, remove and set.'],
    [['add'], 'Say what to add: host, host:port or https://host:port.'],
    [['remove'], 'Say what to remove'],
    [['add', 'a.example', '--file', 'x'], '--file is for set.'],
    [['set'], 'Give destinations, or a list of them with --file.'],
    [['set', 'a.example', '--file', 'x'], 'Give destinations, or a list of them with --file.'],
    [
      ['set', '--file', 'package.json', '--require-mutual'],
      '--require-mutual is about destinations that the command line names',
    ],
    [['remove', 'a.example', '--probe', '/'], '--probe is about destinations that are added or set.'],
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
    [['http://a.example'], {}, 'http://a.example is not https: an identity goes over TLS alone.'],
    [['https://me:pw@a.example'], {}, 'A destination holds no user and no password.'],
    [['::1'], {}, '::1 is no destination: write host, host:port or https://host:port.'],
    [['a.example'], { network: 'all' }, '--network must be'],
    [['a.example'], { pin: ['sha256/x'] }, '--pin must be'],
    [['a.example'], { probe: 'health' }, '--probe must'],
    [['a.example'], { serverRoots: 'package.json' }, '--server-roots must be PEM certificates.'],
  ])('%j with %j is refused with the reason', async (texts, options, said) => {
    await expect(destinationsFrom(texts, options)).rejects.toThrow(said);
  });
});
