// Serves until a signal ends it: what the command line does with `serve`, and the exit code that it ends with.
import { constants } from 'node:os';
import { asCountersignError } from '../core/errors.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import type { ServeOptions } from './options.ts';
import { serve } from './serve.ts';

/**
 * SIGTERM and SIGINT stop it gracefully, a second one at once.
 * @returns the code for process.exit, which ends what a call that was cut off has still open: 0 once it was stopped; what keeps it from starting is thrown, an Error with one sentence
 */
export async function serveUntilStopped(options: ServeOptions): Promise<number> {
  const served = await serve(options);
  process.on('uncaughtException', (thrown) => {
    recordInternalError(served.telemetry, asCountersignError(thrown), '');
    served.kill();
    setImmediate(() => process.exit(1));
  });
  let signals = 0;
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals === 1) served.close().then(stopped.resolve, stopped.reject);
      else {
        served.kill();
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
  await stopped.promise;
  return 0;
}
