// `countersign serve`: the routes of the API from one installation of one's own, in this process or in workers.

import { createServer } from 'node:http';
import { type Telemetry, writeLine } from '../core/telemetry/telemetry.ts';
import { closeServer, listen, urlOf } from '../listener/listen.ts';
import { fitConnections, openFilesLimit } from './http/descriptors.ts';
import { openInstallation } from './installation.ts';
import { expose } from './metrics/exposition.ts';
import { createInspection } from './metrics/identity-inspection.ts';
import { requireSafety, type ServeOptions } from './options.ts';
import { warnOfReadableKey } from './reload/tls-files.ts';
import { createLineWriter } from './workers/lines.ts';
import { startWorkers } from './workers/workers.ts';

export interface Served {
  /** Where the lines of this process go. */
  readonly telemetry: Telemetry;
  readonly url: string;
  /** Of the processes that take calls. */
  pids(): number[];
  /** Takes no more calls, lets those in flight end within `shutdownMs`, cuts off the others. */
  close(): Promise<void>;
  /** Ends the workers at once. */
  kill(): void;
}

/** Lines go to standard output. Throws an Error with one sentence; nothing is left running then. */
export async function serve(asked: ServeOptions): Promise<Served> {
  requireSafety(asked);
  const [limits, lowered] = fitConnections(asked.limits, openFilesLimit());
  const options = { ...asked, limits };
  const lines = createLineWriter((text) => process.stdout.write(text));
  const telemetry: Telemetry = { write: lines.write };
  if (lowered !== undefined) writeLine(telemetry, { level: 'WARN', message: 'limits lowered', detail: lowered });
  const inspection = createInspection({ folder: options.identities });
  try {
    // Before the first question for metrics; and its warnings of readable keys come at the start.
    await inspection.inspect();
    await warnOfReadableKey(options);
    const running =
      options.workers === 1 ? await inProcess() : await startWorkers(await withPort(options), inspection, telemetry);
    const url = urlOf(options.host, running.port, options.tls ? 'https' : 'http');
    const { workers, host } = options;
    writeLine(telemetry, {
      level: 'INFO',
      message: 'serving',
      url,
      host,
      workers,
      pid: process.pid,
      authenticated: options.callers !== undefined,
    });
    let closing: Promise<void> | undefined;
    return {
      telemetry,
      url,
      pids: running.pids,
      kill: running.kill,
      close() {
        closing ??= close();
        return closing;
      },
    };

    async function close(): Promise<void> {
      writeLine(telemetry, { level: 'INFO', message: 'stopping', withinMs: options.shutdownMs });
      const cutOff = await running.close(options.shutdownMs);
      inspection.close();
      writeLine(telemetry, { level: cutOff > 0 ? 'WARN' : 'INFO', message: 'stopped', cutOff });
      lines.flush();
    }
  } catch (thrown) {
    inspection.close();
    lines.flush();
    throw thrown;
  }

  async function inProcess() {
    const installation = await openInstallation(options, {
      telemetry,
      metrics: async (own) => expose([await own(), await inspection.snapshot()]),
      sharesPort: false,
      onVerdict() {},
    });
    inspection.workerStarted();
    return { port: installation.port, close: installation.close, pids: () => [process.pid], kill: () => {} };
  }
}

/** Workers that are started later must find the same port: a free one is chosen before the first. */
async function withPort(options: ServeOptions): Promise<ServeOptions> {
  const { host, port: wanted } = options;
  const probe = createServer();
  const port = await listen(probe, { port: wanted, host, what: 'countersign serve', option: '--port' });
  await closeServer(probe, 0);
  return { ...options, port };
}
