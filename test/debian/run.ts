// `npm run test:debian`: README's commands on a fresh Debian, with what is committed.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  aptEnvironment,
  endPrograms,
  machineMirror,
  makeRoot,
  type ProgramInRoot,
  type Root,
  runInRoot,
} from './root.ts';

const repository = resolve(import.meta.dirname, '../..');
const releases = ['bookworm', 'trixie'];

const help = `Usage: npm run test:debian -- [options]

Makes a minimal Debian root with debootstrap, copies the commit HEAD into it, and runs there, as README says:
npm ci, npm start until it is ready, and npm test. Removes the root at the end. Needs root, debootstrap, unshare
(util-linux), ip (iproute2) and a Debian mirror in the sources of apt.

  --release <name>   bookworm (Debian 12) or trixie (Debian 13), the default
  --user             run as an ordinary user without sudo instead of root
  --no-peers         install no other program that the tests use
  --tests <path>     run these tests of vitest instead of npm test; can be repeated
  --cache <folder>   keep the Debian root, without the repository, in this folder and use it again
  --mirror <url>     Debian mirror, instead of the one of this machine
  --help             print this text
`;

class UsageError extends Error {}

interface Options {
  readonly release: string;
  readonly user: 'root' | 'tester';
  readonly hasPeers: boolean;
  readonly tests: readonly string[];
  readonly cache: string | undefined;
  readonly mirror: string | undefined;
}

/** Ctrl-C reaches all processes of the terminal's foreground group. */
const startAndStop = `set -m
npm start > ../start.log 2>&1 &
group=$!
for _ in $(seq 600); do
  if grep -q 'Ctrl-C stops it' ../start.log || ! kill -0 $group; then break; fi
  sleep 0.2
done
kill -INT -- -$group
wait $group
status=$?
cat ../start.log
grep -q 'Ctrl-C stops it' ../start.log || exit 1
# npm 9 ends with 130 after Ctrl-C, and later ones with the status of the program.
[ $status = 130 ] || exit $status
`;

process.exitCode = await main();

/** @returns the exit code: 0, 1 if something failed, 2 for wrong options, 130 after Ctrl-C */
async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(process.argv.slice(2));
    if (!options) {
      process.stdout.write(help);
      return 0;
    }
    checkMachine();
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'countersign-debian-'));
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isStopped = true;
      endPrograms();
    });
  }
  try {
    return (await tryOut(options, scratch, () => isStopped)) ? 0 : 1;
  } catch (error) {
    if (isStopped) return 130;
    console.error((error as Error).message);
    return 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readOptions(args: readonly string[]): Options | undefined {
  let values: ReturnType<typeof parsed>;
  try {
    values = parsed(args);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee npm run test:debian -- --help`);
  }
  if (values.help) return undefined;
  if (!releases.includes(values.release))
    throw new UsageError(`Unknown release ${values.release}: expected ${releases.join(' or ')}.`);
  for (const path of values.tests ?? [])
    if (!existsSync(join(repository, path))) throw new UsageError(`There is no ${path} to test.`);
  return {
    release: values.release,
    user: values.user ? 'tester' : 'root',
    hasPeers: !values['no-peers'],
    tests: values.tests ?? [],
    cache: values.cache,
    mirror: values.mirror,
  };
}

function parsed(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      release: { type: 'string', default: 'trixie' },
      user: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
      tests: { type: 'string', multiple: true },
      cache: { type: 'string' },
      mirror: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

function checkMachine(): void {
  const wanted = {
    debootstrap: 'debootstrap',
    unshare: 'util-linux',
    pivot_root: 'util-linux',
    ip: 'iproute2',
    git: 'git',
  };
  const missing = Object.entries(wanted).filter(([program]) => spawnSync('which', [program]).status !== 0);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
    throw new UsageError(`Missing ${missing.map(([program]) => program).join(', ')}: apt-get install ${packages}`);
  }
  if (process.getuid?.() !== 0) throw new UsageError('This needs root: debootstrap and mounts do. Run it with sudo.');
}

/** @returns whether everything passed */
async function tryOut(options: Options, scratch: string, isStopped: () => boolean): Promise<boolean> {
  const { release, user, hasPeers, tests } = options;
  const mirror = options.mirror ? { uri: options.mirror, securityUri: undefined } : machineMirror();
  if (!mirror) throw new Error('The sources of apt contain no Debian mirror: name one with --mirror.');
  const folder = resolve(options.cache ?? scratch, `debian-${release}`);
  await makeRoot(folder, release, mirror);

  const changes = join(scratch, 'changes');
  const root: Root = { folder, changes };
  const files = join(changes, 'upper');
  mkdirSync(files, { recursive: true, mode: 0o755 });
  archiveHead(join(files, 'countersign.tar'));
  const environment = { ...npmEnvironment(files), ...(hasPeers ? {} : { COUNTERSIGN_NO_INSTALL: '1' }) };
  const clone = `${user === 'root' ? '/root' : `/home/${user}`}/countersign`;
  const results: string[] = [];
  let isFine = true;

  const step = async (title: string, script: string, program: Partial<ProgramInRoot> = {}) => {
    console.log(`\n── ${title}`);
    let output = '';
    const onOutput = (text: string) => {
      output += text;
    };
    const startedAt = Date.now();
    const status = await runInRoot(root, { script, user, env: environment, onOutput, ...program });
    if (isStopped()) throw new Error('Stopped.');
    const counts = /^\d+ passed, \d+ failed.*$/m.exec(output)?.[0];
    const left = output.match(/^left behind: .*$/gm) ?? [];
    if (status !== 0 || left.length > 0) isFine = false;
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    const outcome = [status === 0 ? 'ok' : `failed with ${status}`, ...(counts ? [counts] : []), ...left].join('; ');
    results.push(`${title.padEnd(16)} ${String(seconds).padStart(5)} s  ${outcome}`);
    return status === 0;
  };

  const enter = `cd ${clone}`;
  if (await step('npm ci', `mkdir ${clone} && ${enter} && tar -xf /countersign.tar && npm ci`)) {
    await step('npm start', `${enter}\n${startAndStop}`);
    if (hasPeers) {
      const env = { ...environment, ...aptEnvironment };
      await step('peers', `${enter} && node_modules/.bin/node test/support/install-peers.ts`, { user: 'root', env });
    }
    const command = tests.length === 0 ? 'npm test' : `npx vitest run ${tests.join(' ')}`;
    await step(tests.length === 0 ? 'npm test' : 'tests', `${enter}\n${watchLeftovers(command)}`, {
      hasLoopbackOnly: true,
    });
  }
  const as = user === 'root' ? 'as root' : 'as an ordinary user';
  console.log(`\nDebian ${release}, ${as}, ${hasPeers ? 'with peers' : 'without peers'}`);
  for (const line of results) console.log(line);
  return isFine;
}

function archiveHead(file: string): void {
  const { status, stderr } = spawnSync('git', ['archive', '--output', file, 'HEAD'], { cwd: repository });
  if (status !== 0) throw new Error(`git archive failed: ${stderr}`);
  const { stdout } = spawnSync('git', ['status', '--short'], { cwd: repository, encoding: 'utf8' });
  if (stdout.trim() !== '') console.log('Only what is committed is tried: there are other changes.');
}

/** The registry, proxy and authorities of this machine. @param files the root folder of what is tried */
function npmEnvironment(files: string): Record<string, string> {
  const setting = (name: string) =>
    spawnSync('npm', ['config', 'get', name], { cwd: repository, encoding: 'utf8' }).stdout.trim();
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'VITEST_MAX_WORKERS'];
  const environment = Object.fromEntries(
    names.flatMap((name) => [[name, process.env[name]]]).filter(([, value]) => value),
  );
  const authorities = setting('cafile');
  if (authorities === 'null') return { ...environment, npm_config_registry: setting('registry') };
  cpSync(authorities, join(files, 'machine-authorities.pem'));
  return {
    ...environment,
    npm_config_registry: setting('registry'),
    npm_config_cafile: '/machine-authorities.pem',
  };
}

/** Runs the command, then prints a line for each process, listener and file in /tmp that it left. */
function watchLeftovers(command: string): string {
  return `ls -A /tmp > /dev/shm/before
${command}
status=$?
sleep 1
for folder in /proc/[0-9]*; do
  process=$(basename $folder)
  line=$(tr '\\0' ' ' < $folder/cmdline 2>/dev/null)
  if [ "$process" != 1 ] && [ "$process" != $$ ] && [ -n "$line" ]; then echo "left behind: process $line"; fi
done
cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A" { print "left behind: listener " $2 }'
ls -A /tmp | grep -vxFf /dev/shm/before | sed 's|^|left behind: /tmp/|'
exit $status
`;
}
