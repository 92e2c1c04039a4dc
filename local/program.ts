// `npm start` and `npm run demo:rotation` as programs: options, signals, colours, temporary folders, and error output.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Paint, painter } from '../cli/output.ts';
import { demoHosts } from './demo-api/hosts.ts';

export interface Program {
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly paint: Paint;
  /** Aborted by the first Ctrl-C or SIGTERM; the second ends the process. */
  readonly signal: AbortSignal;
}

/** Under npm, Ctrl-C reaches this process twice, because npm forwards it: both count as the first. */
const oneKeyPressMs = 500;

/** Call it before anything else. */
export function openProgram(): Program {
  // As in the stack. libuv reads it when it first uses a thread, so it must be set first.
  process.env.UV_THREADPOOL_SIZE ??= '64';
  const stop = new AbortController();
  let firstSignalAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (firstSignalAt !== undefined && performance.now() - firstSignalAt > oneKeyPressMs) process.exit(130);
      firstSignalAt ??= performance.now();
      stop.abort();
    });
  }
  // The reader of the output can close first (`npm start | head`).
  process.stdout.on('error', () => process.exit(0));
  const isTerminal = process.stdout.isTTY === true;
  return { isTerminal, paint: painter(isTerminal && !process.env.NO_COLOR), signal: stop.signal };
}

/** Removed when this process ends, except by SIGKILL. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Prints the error's message on standard error. @returns `code` */
export function complain(error: unknown, code: number): number {
  const { message, code: reason } = error as NodeJS.ErrnoException;
  const missing = reason === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(message)?.[1];
  console.error(missing ? `The package ${missing} is not installed: run npm ci first.` : message);
  return code;
}

export interface StartOptions {
  readonly isDemo: boolean;
  readonly wantsHelp: boolean;
  /** Undefined for a demo: a temporary one. */
  readonly folder: string | undefined;
  readonly ports: Ports;
}

export interface Ports {
  readonly gateway: number;
  readonly secrets: number;
  /** Of the platform's authority. */
  readonly authority: number;
  readonly events: number;
  /** Of the first host of the demo API. */
  readonly api: number;
}

export const helpText = `Usage: npm start -- [options]
       npm run demo

Serves a local cloud on loopback until it is stopped: Secrets Manager, the gateway with the functions
that are deployed, an authority, an event bus, a demo API that demands a client certificate; and makes
one call through all of it.

  --port <port>            of the gateway (8080)
  --secrets-port <port>    of Secrets Manager (8081)
  --authority-port <port>  of the authority that signs the platform's next certificate (8082)
  --events-port <port>     of the event bus (8083)
  --api-port <port>        of the first host of the demo API, the others follow (8443)
                           0 takes a free port
  --state <folder>         where state is kept (.countersign)
  --demo                   one run on free ports, without state: every host is called once
  --help`;

/** The demo API takes as many consecutive ports as it has hosts; no port may pass 65535. */
const lastApiPort = 65_500;

/** Throws an Error whose message is one sentence. */
export function readOptions(args: readonly string[]): StartOptions {
  const values = parse(args);
  const isDemo = values.demo === true;
  if (isDemo && values.state !== undefined) throw new Error('--demo keeps no state, so it takes no --state.');
  if (values.state === '') throw new Error('--state must name a folder.');
  const ports: Ports = {
    gateway: port('--port', values.port, isDemo ? 0 : 8080),
    secrets: port('--secrets-port', values['secrets-port'], isDemo ? 0 : 8081),
    authority: port('--authority-port', values['authority-port'], isDemo ? 0 : 8082),
    events: port('--events-port', values['events-port'], isDemo ? 0 : 8083),
    api: port('--api-port', values['api-port'], isDemo ? 0 : 8443, lastApiPort),
  };
  requireDifferent(ports);
  return {
    isDemo,
    wantsHelp: values.help === true,
    folder: isDemo ? undefined : (values.state ?? '.countersign'),
    ports,
  };
}

/** Checked here, because a port conflict at listen time would not name the other option. */
function requireDifferent({ gateway, secrets, authority, events, api }: Ports): void {
  const wanted = [
    ['--port', gateway],
    ['--secrets-port', secrets],
    ['--authority-port', authority],
    ['--events-port', events],
    ...demoHosts.map((_, index) => ['--api-port', api === 0 ? 0 : api + index] as const),
  ] as const;
  const taken = new Map<number, string>();
  for (const [option, number] of wanted.filter(([, fixed]) => fixed !== 0)) {
    const other = taken.get(number);
    if (other !== undefined) {
      const range = option === '--api-port' ? ` (the demo API has ${api} to ${api + demoHosts.length - 1})` : '';
      throw new Error(`${other} and ${option} cannot both have port ${number}${range}.`);
    }
    taken.set(number, option);
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        'secrets-port': { type: 'string' },
        'authority-port': { type: 'string' },
        'events-port': { type: 'string' },
        'api-port': { type: 'string' },
        state: { type: 'string' },
        demo: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (cause) {
    const option = args.find((arg) => arg.startsWith('-')) ?? '';
    const code = (cause as NodeJS.ErrnoException).code;
    const words: Record<string, string> = {
      ERR_PARSE_ARGS_UNKNOWN_OPTION: unknownOption(cause as Error),
      ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL: 'There are options only, and no other arguments',
    };
    const sentence = words[code ?? ''] ?? `The value of ${option} is missing or not wanted`;
    throw new Error(`${sentence}; --help lists the options.`, { cause });
  }
}

function unknownOption(error: Error): string {
  const option = /'([^']+)'/.exec(error.message)?.[1] ?? '';
  return `There is no option ${option}`;
}

function port(option: string, value: string | undefined, otherwise: number, last = 65_535): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > last) {
    throw new Error(`${option} must be a port: a whole number from 0 to ${last}.`);
  }
  return number;
}
