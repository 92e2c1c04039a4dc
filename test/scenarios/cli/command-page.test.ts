// docs/command.md: exactly the existing verbs and options, the exit codes, and every example run as written.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { Command, type Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { openContext } from '../../../cli/context.ts';
import { exitCodes } from '../../../cli/exit-code.ts';
import { addVerbs } from '../../../cli/verbs/all.ts';
import { demoHosts } from '../../../local/demo-api/hosts.ts';
import { readOptions } from '../../../local/program.ts';
import { mainFile, root } from '../../support/cli/run-command.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder, startProgram } from '../../support/program.ts';

const page = readFileSync(join(root, 'docs/command.md'), 'utf8');

/** By their headings. */
const sections = new Map(
  page.split('\n## ').map((text) => {
    const [title = ''] = text.split('\n', 1);
    return [title, text] as const;
  }),
);

const program = new Command('countersign');
addVerbs(program, openContext(process));
const leaves = program.commands.flatMap((one) =>
  one.commands.length > 0
    ? one.commands.map((two) => [`${one.name()} ${two.name()}`, two] as const)
    : [[one.name(), one] as const],
);

function rowsOf(text: string): string[][] {
  const rows = text.matchAll(/^\| `(-[^`]+)` \| ((?:[^|\\]|\\.)*) \|$/gm);
  return [...rows].map(([, flags = '', means = '']) => [flags, means.replace(/\\([<|])/g, '$1')]);
}

function rowOf({ flags, description, defaultValue, negate }: Option): string[] {
  return [flags, description + (defaultValue === undefined || negate ? '' : ` (${defaultValue})`)];
}

const common = rowsOf(sections.get('Stores, APIs and destinations') ?? '');
const [store, api, settings] = [common.slice(0, 4), common.slice(4, 9), common.slice(9)];

describe('docs/command.md', () => {
  it('has a section for each verb, and no other section', () => {
    const described = [...sections.keys()].filter((title) => /^(identity |diagnose|invoke|doctor|serve)/.test(title));
    expect(described.sort()).toEqual(leaves.map(([name]) => name).sort());
    const listed = [...page.matchAll(/\[`([a-z -]+)`\]\(#/g)].map(([, name]) => name);
    expect(listed.sort()).toEqual(described);
  });

  it.each(leaves.filter(([name]) => name !== 'serve'))('has each option of %s, as its help has it', (name, command) => {
    const options = command.options.filter(({ hidden }) => !hidden).map(rowOf);
    const flagsOf = (rows: readonly string[][]) => rows.map(([flags]) => flags);
    const asksApi = ['diagnose', 'invoke', 'doctor'].includes(name);
    const hasSettings = ['identity complete', 'identity destinations', 'identity import'].includes(name);
    const shared = [...store, ...(asksApi ? api : []), ...(hasSettings ? settings : [])];
    const isShared = ([flags]: string[]) => flagsOf(shared).includes(flags);
    expect(rowsOf(sections.get(name) ?? '')).toEqual(options.filter((row) => !isShared(row) && row[0] !== '--json'));
    // Options of several verbs are described once.
    expect(flagsOf(options)).toContain('--json');
    expect(options.filter(isShared)).toEqual(shared);
  });

  it('has each exit code', () => {
    const rows = [...(sections.get('Exit codes') ?? '').matchAll(/^\| ([\d, ]+) \| .+ \|$/gm)];
    const codes = rows.flatMap(([, text = '']) => text.split(', ').map(Number));
    expect(codes).toEqual(Object.values(exitCodes));
  });

  it('is linked from exit-code.ts and the other pages', () => {
    expect(readFileSync(join(root, 'cli/exit-code.ts'), 'utf8')).toContain('docs/command.md');
    expect(/\(docs\/command\.md\)/.test(readFileSync(join(root, 'README.md'), 'utf8'))).toBe(true);
  });
});

interface Example {
  readonly title: string;
  readonly block: string;
  /** What stands below it; undefined where nothing does. */
  readonly shown: string | undefined;
}

const examples: readonly Example[] = [...sections].flatMap(([title, text]) =>
  [...text.matchAll(/^```sh\n([\s\S]*?)^```\n(?:```\n([\s\S]*?)^```$)?/gm)].map(([, block = '', shown]) => ({
    title,
    block,
    shown,
  })),
);

/** What differs from run to run. */
function shape(text: string): string {
  return (
    text
      // Which steps of a rotation are seen depends on when one looks.
      .replace(/^The next version (waits for|has) its certificate.*\n/gm, '')
      .replace(/sha256\/[A-Za-z0-9+/=]+/g, 'PIN')
      .replace(/\b([0-9A-F]{2}:){7,}[0-9A-F]{2}/g, 'PRINT')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'VERSION')
      .replace(/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ GMT/g, 'DATE')
      .replace(/\d{4}-\d\d-\d\d(T[\d:.]+Z)?/g, 'DATE')
      .replace(/(platform)-\w{6}\b/g, '$1-SUFFIX')
      .replace(/\b(new|resumed|reused) connection/g, 'connection')
      .replace(/(?<!ended with |HTTP |HTTP\/|HTTP\/1\.1 |"failures": |[\d.])\d[\d.]*/g, '0')
      .replace(/\r/g, '')
      .replace(/ +/g, ' ')
  );
}

/** Each place of the page, and where it is here; a free port for each. */
function placesIn(started: string): (readonly [string, string])[] {
  const found = (pattern: RegExp) => pattern.exec(started)?.[1] ?? '';
  const { ports } = readOptions([]);
  const of = (port: number) => `127.0.0.1:${port}`;
  return [
    [of(ports.gateway), found(/gateway +http:\/\/(\S+)/)],
    [of(ports.secrets), found(/secrets manager +http:\/\/(\S+)/)],
    [of(ports.authority), found(/authority +http:\/\/(\S+)/)],
    ...demoHosts.map(({ host }, index) => {
      const here = new RegExp(`https://(${host}:\\d+)`);
      return [`${host}:${ports.api + index}`, found(here)] as const;
    }),
  ];
}

describe.skipIf(!findPeer('curl'))('the examples of docs/command.md (needs curl)', () => {
  it('work as they are written with a local cloud', { timeout: 120_000 }, async () => {
    const folder = privateFolder();
    const [home, bin] = [join(folder.path, 'home'), join(folder.path, 'bin')];
    for (const path of [home, bin]) mkdirSync(path);
    const ports = ['--port', '--secrets-port', '--authority-port', '--events-port', '--api-port'];
    const args = ['local/start.ts', '--state', join(folder.path, 'state'), ...ports.flatMap((name) => [name, '0'])];
    const cloud = startProgram(process.execPath, args, root);
    while (!cloud.output().includes('Ctrl-C stops it.')) {
      if (cloud.child.exitCode !== null) throw new Error(cloud.output());
      await Promise.race([once(cloud.child.stdout ?? cloud.child, 'data'), once(cloud.child, 'close')]);
    }
    const places = placesIn(cloud.output());
    const [[, gateway] = [], [, secretsManager] = []] = places;
    // In place of the installed command: what a verb takes for granted is on other ports here.
    const command = `#!/bin/sh
case " $* " in
  *' --source '*|*' --api '*|*' --help '*) ;;
  ' diagnose '*|' invoke '*) set -- "$@" --api http://${gateway} ;;
  *) set -- "$@" --endpoint http://${secretsManager} ;;
esac
exec '${process.execPath}' '${mainFile}' "$@"
`;
    writeFileSync(join(bin, 'countersign'), command, { mode: 0o755 });
    const curl = dirname(findPeer('curl') ?? '');
    const env = { PATH: [bin, curl, process.env.PATH].join(delimiter), HOME: home, LC_ALL: 'C.UTF-8' };

    const run = async (block: string) => {
      const child = spawn('sh', ['-c', `exec 2>&1\n${block}`], {
        cwd: home,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk;
      });
      const [code] = await once(child, 'close');
      return { code, out };
    };

    const tried = new Set<string>();
    for (const { title, block, shown } of examples) {
      if (!/^countersign /m.test(block)) throw new Error(`What is tried here? ${block}`);
      const here = places.reduce((text, [there, instead]) => text.replaceAll(there, instead), block);
      const { code, out } = await run(here);
      expect(code, `${block}${out}`).toBe(0);
      if (shown !== undefined) {
        // Suggested commands repeat the option that only the script above has added.
        const asGiven = block.includes(' --api ') ? out : out.replaceAll(` --api http://${gateway}`, '');
        const asOnThePage = places
          .reduce((text, [there, instead]) => text.replaceAll(instead, there), asGiven)
          .replaceAll(home, '/home/you');
        expect(shape(asOnThePage), block).toBe(shape(shown));
      }
      tried.add(title);
    }
    const verbs = leaves.map(([name]) => name).filter((name) => name !== 'serve');
    expect([...tried]).toEqual(expect.arrayContaining(verbs));
  });
});
