// `countersign serve`: serves the API from identities in a folder, in this process or in workers, until a signal stops
// it.

import { constants } from 'node:os';
import { asCountersignError } from '../core/errors.ts';
import { openFilesLimit } from '../core/open-files-limit.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import { type Telemetry, writeLine } from '../core/telemetry/telemetry.ts';
import { urlOf } from '../listener/listen.ts';
import { openInstallation } from './installation.ts';
import { createIdentityInspection, type IdentityInspection } from './metrics/identity-inspection.ts';
import { expose } from './metrics/metrics.ts';
import { fitConnections, requireSafeOptions, type ServeOptions } from './options.ts';
import { warnOfReadableKey } from './reload/tls-files.ts';
import { createLineWriter } from './workers/line-writer.ts';
import { startWorkers, type WorkerGroup } from './workers/workers.ts';

/**
 * SIGTERM and SIGINT stop the server gracefully; a second signal ends the process at once.
 * @returns the exit code, 0. Call process.exit with it: calls that were cut off may have left sockets open.
 * Throws an Error with one sentence if the server cannot start.
 */
export async function serveUntilStopped(options: ServeOptions): Promise<number> {
  const server = await startServer(options);
  process.on('uncaughtException', (thrown) => {
    recordInternalError(server.telemetry, asCountersignError(thrown), '');
    server.kill();
    setImmediate(() => process.exit(1));
  });
  let signals = 0;
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals === 1) server.close().then(stopped.resolve, stopped.reject);
      else {
        server.kill();
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
  await stopped.promise;
  return 0;
}

interface RunningServer {
  readonly telemetry: Telemetry;
  /** Takes no more calls, lets those in flight end within `shutdownMs`, cuts off the others. */
  close(): Promise<void>;
  /** Kills the workers at once. */
  kill(): void;
}

/** Log lines go to standard output. If this throws, nothing is left running. */
async function startServer(requested: ServeOptions): Promise<RunningServer> {
  requireSafeOptions(requested);
  const [limits, lowered] = fitConnections(requested.limits, openFilesLimit());
  const options = { ...requested, limits };
  const lines = createLineWriter((text) => process.stdout.write(text));
  const telemetry: Telemetry = { write: lines.write };
  if (lowered !== undefined) writeLine(telemetry, { level: 'WARN', message: 'limits lowered', detail: lowered });
  const inspection = createIdentityInspection({ folder: options.identities });
  try {
    // First, so that metrics are complete from the start, and warnings of readable keys come before `serving`.
    await inspection.inspect();
    await warnOfReadableKey(options);
    const running = await (options.workers === 1
      ? serveInProcess(options, inspection, telemetry)
      : startWorkers(options, inspection, telemetry));
    const { workers, host, tls, callers } = options;
    const url = urlOf(host, running.port, tls ? 'https' : 'http');
    const { pid } = process;
    writeLine(telemetry, {
      level: 'INFO',
      message: 'serving',
      url,
      host,
      workers,
      pid,
      authenticated: callers !== undefined,
    });
    return {
      telemetry,
      kill: running.kill,
      async close() {
        writeLine(telemetry, { level: 'INFO', message: 'stopping', withinMs: options.shutdownMs });
        const cutOff = await running.close(options.shutdownMs);
        inspection.close();
        writeLine(telemetry, { level: cutOff > 0 ? 'WARN' : 'INFO', message: 'stopped', cutOff });
        lines.flush();
      },
    };
  } catch (thrown) {
    inspection.close();
    lines.flush();
    throw thrown;
  }
}

async function serveInProcess(
  options: ServeOptions,
  inspection: IdentityInspection,
  telemetry: Telemetry,
): Promise<WorkerGroup> {
  const { port, close } = await openInstallation(options, {
    telemetry,
    metrics: async (own) => expose([await own(), await inspection.snapshot()]),
    onVerdict() {},
  });
  inspection.workerStarted();
  return { port, close, kill() {} };
}
