// The context that every verb receives: environment, input, output, clock, signals and exit code.
import { readStreamUpTo, readUpTo } from '../core/files.ts';
import { type ExitCode, exitCodes, usageError } from './exit-code.ts';
import { type Output, openOutput } from './output.ts';

export interface CommandContext {
  /** The environment of this process. Verbs read settings only here. */
  readonly environment: NodeJS.ProcessEnv;
  readonly output: Output;
  /**
   * The first `maxBytes` bytes of a file, a pipe, or standard input for `-`, which can be read only once. Throws a
   * usage error.
   */
  readInput(path: string, maxBytes: number): Promise<Buffer>;
  /** Standard input and standard error are a terminal: the user can answer questions. */
  readonly isInteractive: boolean;
  /** The exit code of a verb that a signal ended early. A result that is complete before the signal stays valid. */
  readonly signalled: ExitCode | undefined;
  /**
   * Aborted by Ctrl-C and SIGTERM. Until it is first read, these signals end the process at once. A verb with cleanup
   * reads it before it starts. A second signal always ends the process.
   */
  readonly interrupted: AbortSignal;
  /** Milliseconds since 1970. */
  now(): number;
  /** Sets the exit code (0). The first call counts. */
  end(code: ExitCode): void;
  readonly exitCode: ExitCode;
  /** Set from --json before a verb starts. */
  isJson: boolean;
  /** Codes of process warnings that are not printed, because they are part of the verb's answer. */
  readonly suppressedWarnings: Set<string>;
}

export function openContext(streams: Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr' | 'env'>): CommandContext {
  let exitCode: ExitCode | undefined;
  let signalled: ExitCode | undefined;
  let interrupted: AbortSignal | undefined;
  const context: CommandContext = {
    environment: streams.env,
    output: openOutput(streams, Boolean(streams.env.NO_COLOR), () => context.isJson),
    readInput: openInput(streams.stdin),
    isInteractive: streams.stdin.isTTY === true && streams.stderr.isTTY === true,
    get interrupted() {
      interrupted ??= abortedBySignals((code) => {
        signalled ??= code;
      });
      return interrupted;
    },
    get signalled() {
      return signalled;
    },
    now: Date.now,
    end(code) {
      exitCode ??= code;
    },
    get exitCode() {
      return exitCode ?? exitCodes.done;
    },
    isJson: false,
    suppressedWarnings: new Set(),
  };
  return context;
}

function openInput(stdin: AsyncIterable<Buffer | string>): CommandContext['readInput'] {
  let isStdinRead = false;
  return async (path, maxBytes) => {
    if (path === '-') {
      if (isStdinRead) throw usageError('Standard input (-) can be read only once.');
      isStdinRead = true;
      return await readStreamUpTo(stdin, maxBytes);
    }
    try {
      return (await readUpTo(path, maxBytes)).bytes;
    } catch (thrown) {
      const { code = 'unknown' } = thrown as NodeJS.ErrnoException;
      throw usageError(inputErrors[code]?.(path) ?? `The file ${path} cannot be read (${code}).`);
    }
  };
}

const inputErrors: Readonly<Record<string, (path: string) => string>> = {
  EISDIR: (path) => `${path} is a folder. Name the files in it.`,
  ENOENT: (path) => `There is no file ${path}.`,
  ETIMEDOUT: (path) => `No process writes to the pipe ${path}.`,
};

function abortedBySignals(onFirst: (code: ExitCode) => void): AbortSignal {
  const controller = new AbortController();
  const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(codes[signal]);
      onFirst(codes[signal]);
      controller.abort(new Error(signal));
    });
  }
  return controller.signal;
}
