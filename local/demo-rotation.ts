// The door of `npm run demo:rotation`: options, signals, what is printed where, and the exit code.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { painter } from '../command/output.ts';

const help = `Usage: npm run demo:rotation

Rotates the platform's certificate in a local cloud of its own, on free ports and without state, while
calls flow to two customers: one that trusts the platform's authority, and one that pins the old
certificate. Shows the steps, the certificate before and after, the old connections and what failed.

  --help

Exit code: 0 no call failed and everybody ended where he should, 1 not so, 2 the command line is wrong,
130 it was interrupted.`;

// As the stack sets it for the functions; libuv reads it when it first uses a thread, which nothing has done up to here.
process.env.UV_THREADPOOL_SIZE ??= '64';

const isTerminal = process.stdout.isTTY === true;
const paint = painter(isTerminal && !process.env.NO_COLOR);
const stop = new AbortController();
let firstSignalAt: number | undefined;

/** A terminal's Ctrl-C reaches this process twice under npm, which passes it on as well: that is still the first. */
const oneKeyPressMs = 500;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (firstSignalAt !== undefined && performance.now() - firstSignalAt > oneKeyPressMs) process.exit(130);
    firstSignalAt ??= performance.now();
    stop.abort();
  });
}
// Whoever reads the output may go away first: then there is nobody to tell.
process.stdout.on('error', () => process.exit(0));

process.exit(await main());

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) {
      print(help);
      return 0;
    }
  } catch {
    console.error('There is no other option than --help.');
    return 2;
  }
  try {
    const { demonstrate } = await import('./demo-rotation/story.ts');
    print('');
    const isGood = await demonstrate({ folder: temporaryFolder(), print, progress, paint, signal: stop.signal });
    print('');
    return isGood ? 0 : 1;
  } catch (error) {
    progress('');
    if (stop.signal.aborted) return 130;
    const { message, code } = error as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(message)?.[1];
    console.error(missing ? `The package ${missing} is not installed: run npm ci first.` : message);
    return 1;
  }
}

/** Removed however this process ends, short of SIGKILL. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-rotation-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function print(line: string): void {
  progress('');
  process.stdout.write(`${line.trimEnd()}\n`);
}

/** On the last line of a terminal, in the place of what stood there; nowhere else. */
function progress(text: string): void {
  if (isTerminal) process.stdout.write(`\r\x1b[2K${text}`);
}
