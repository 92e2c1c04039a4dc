// What every verb is given: the environment, where to write, whether somebody can be asked, and when to stop.
import { type ExitCode, exitCodes } from './exit-code.ts';
import { type Output, openOutput } from './output.ts';

export interface CommandContext {
  /** Of this process; the verbs read settings here and nowhere else. */
  readonly environment: NodeJS.ProcessEnv;
  readonly output: Output;
  /** Somebody sits at a terminal and can be asked. */
  readonly isInteractive: boolean;
  /** What a signal makes of a verb that did not come to its end; a result that is there stands, whatever came after it. */
  readonly signalled: ExitCode | undefined;
  /**
   * Aborted by Ctrl-C and SIGTERM. Until it is first read the signals end the process at once; a verb that has something
   * to tidy up reads it before it begins. A second signal ends the process all the same.
   */
  readonly interrupted: AbortSignal;
  /** Milliseconds since 1970. */
  now(): number;
  /** What the process ends with once the verb is done; 0 when nothing was said. The first one counts. */
  end(code: ExitCode): void;
  readonly exitCode: ExitCode;
  /** Set by the frame before a verb begins. */
  isJson: boolean;
  /** Codes of warnings that are part of the verb's answer, and are not told beside it. */
  readonly suppressedWarnings: Set<string>;
}

export function openContext(streams: Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr' | 'env'>): CommandContext {
  let exitCode: ExitCode | undefined;
  let signalled: ExitCode | undefined;
  let interrupted: AbortSignal | undefined;
  const context: CommandContext = {
    environment: streams.env,
    output: openOutput(streams, Boolean(streams.env.NO_COLOR), () => context.isJson),
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
