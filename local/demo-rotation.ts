// The entry point of `npm run demo:rotation`: options, output and exit code.
import { parseArgs } from 'node:util';
import { complain, openProgram, temporaryFolder } from './program.ts';

const help = `Usage: npm run demo:rotation

Rotates the platform's certificate in a local cloud of its own, on free ports and without state, while
calls flow to two customers: one that trusts the platform's authority, and one that pins the old
certificate. Prints the steps, the certificate before and after, the old connections and failed calls.

  --help

Exit code: 0 success, 1 a call failed or a customer got the wrong certificate, 2 wrong command line,
130 interrupted.`;

const { isTerminal, paint, signal } = openProgram();

process.exit(await main());

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) {
      print(help);
      return 0;
    }
  } catch {
    console.error('The only option is --help.');
    return 2;
  }
  try {
    const { demonstrate } = await import('./demo-rotation/demo.ts');
    print('');
    const folder = temporaryFolder('countersign-rotation-');
    const isGood = await demonstrate({ folder, print, progress, paint, signal });
    print('');
    return isGood ? 0 : 1;
  } catch (error) {
    progress('');
    if (signal.aborted) return 130;
    return complain(error, 1);
  }
}

function print(line: string): void {
  progress('');
  process.stdout.write(`${line.trimEnd()}\n`);
}

/** Rewrites the last line of a terminal; prints nothing elsewhere. */
function progress(text: string): void {
  if (isTerminal) process.stdout.write(`\r\x1b[2K${text}`);
}
