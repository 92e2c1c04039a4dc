// Entry point of a worker process: opens an installation, answers questions about it, and closes it when the primary
// asks.

import { asCountersignError } from '../../core/errors.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import type { PortHandle } from '../../listener/listen.ts';
import { connectionReportMs } from '../http/connection-share.ts';
import { type Installation, openInstallation } from '../installation.ts';
import { createLineWriter, type LineWriter } from './line-writer.ts';
import type { FromWorker, ToWorker } from './workers.ts';

startWorker(createLineWriter((text) => process.stdout.write(text)));

function startWorker(lines: LineWriter): void {
  let installation: Installation | undefined;
  const questions = createMetricsQuestions();
  const telemetry = { write: lines.write };
  // Node would open its debugger, which runs any code, for every user of the machine.
  process.on('SIGUSR1', () => {});
  // A terminal and systemd signal the whole process group, but the primary decides when a worker stops.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.on('uncaughtException', (thrown) => {
    recordInternalError(telemetry, asCountersignError(thrown), '');
    lines.flush();
    process.exit(1);
  });

  process.on('message', async (message: ToWorker, handle: unknown) => {
    switch (message.kind) {
      case 'open':
        try {
          installation = await openInstallation(message.options, {
            telemetry,
            metrics: questions.ask,
            portHandle: handle as PortHandle,
            lastGood: message.lastGood,
            onVerdict: (verdict) => send({ kind: 'verdict', verdict }),
          });
          send({ kind: 'opened', port: installation.port });
          reportConnections(installation);
        } catch (thrown) {
          send({ kind: 'failed', sentence: (thrown as Error).message }, () => process.exit(1));
        }
        return;
      case 'close': {
        const cutOff = (await installation?.close(message.deadlineMs)) ?? 0;
        lines.flush();
        send({ kind: 'closed', cutOff }, () => process.exit(0));
        return;
      }
      case 'snapshot':
        if (installation) send({ kind: 'snapshot', id: message.id, snapshot: await installation.snapshot() });
        return;
      case 'release':
        installation?.share.release(message.count);
        return;
      case 'verdict':
        installation?.addVerdict(message.verdict);
        return;
      case 'metrics':
        questions.answer(message.id, message.text);
    }
  });
}

function reportConnections({ share }: Installation): void {
  setInterval(() => send({ kind: 'connections', count: share.countActive() }), connectionReportMs).unref();
}

/** Asks the primary for the metrics of all workers; it asks each worker, this one included. */
function createMetricsQuestions() {
  const pending = new Map<number, (text: string | undefined) => void>();
  let lastId = 0;
  return {
    async ask(): Promise<string> {
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      pending.set(id, resolve);
      send({ kind: 'metrics', id });
      const text = await promise;
      if (text === undefined) throw new Error('The primary process could not collect the metrics.');
      return text;
    },
    answer(id: number, text: string | undefined): void {
      pending.get(id)?.(text);
      pending.delete(id);
    },
  };
}

function send(message: FromWorker, onSent?: () => void): void {
  process.send?.(message, undefined, undefined, () => onSent?.());
}
