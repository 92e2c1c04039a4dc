// The options of `npm start`, and the one sentence for each that is wrong.
import { describe, expect, it } from 'vitest';
import { readOptions } from '../../local/program.ts';

describe('the options of npm start', () => {
  it('have fixed ports and a folder by default, and free ports without a folder for the demo', () => {
    const ports = { gateway: 8080, secrets: 8081, authority: 8082, events: 8083, api: 8443 };
    expect(readOptions([])).toEqual({ isDemo: false, wantsHelp: false, folder: '.countersign', ports });
    const free = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };
    expect(readOptions(['--demo'])).toMatchObject({ folder: undefined, ports: free });
  });

  it('are taken in both spellings', () => {
    expect(readOptions(['--port=1', '--secrets-port', '2', '--api-port', '0', '--state', 'a b'])).toMatchObject({
      folder: 'a b',
      ports: { gateway: 1, secrets: 2, api: 0 },
    });
    expect(readOptions(['-h']).wantsHelp).toBe(true);
  });

  it.each([
    [['--prot', '1'], 'There is no option --prot; --help lists the options.'],
    [['8080'], 'There are options only, and no other arguments; --help lists the options.'],
    [['--port'], 'The value of --port is missing or not wanted; --help lists the options.'],
    [['--demo=yes'], 'The value of --demo=yes is missing or not wanted; --help lists the options.'],
    [['--port', 'eighty'], '--port must be a port: a whole number from 0 to 65535.'],
    [['--port', '65536'], '--port must be a port: a whole number from 0 to 65535.'],
    [['--authority-port', '-1'], 'The value of --authority-port is missing or not wanted; --help lists the options.'],
    [['--events-port', '99999'], '--events-port must be a port: a whole number from 0 to 65535.'],
    [['--secrets-port', '1.5'], '--secrets-port must be a port: a whole number from 0 to 65535.'],
    [['--api-port', '65530'], '--api-port must be a port: a whole number from 0 to 65500.'],
    [['--secrets-port', '8080'], '--port and --secrets-port cannot both have port 8080.'],
    [['--events-port', '7', '--authority-port', '7'], '--authority-port and --events-port cannot both have port 7.'],
    [['--port', '8445'], '--port and --api-port cannot both have port 8445 (the demo API has 8443 to 8452).'],
    [['--state', ''], '--state must name a folder.'],
    [['--demo', '--state', 'x'], '--demo keeps no state, so it takes no --state.'],
  ])('%j is refused', (args, sentence) => {
    expect(() => readOptions(args)).toThrow(sentence);
  });
});
