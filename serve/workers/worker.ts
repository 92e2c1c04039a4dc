// The door of a worker process: it opens an installation when it is told with which options, and closes it when it is told to.

import { asCountersignError } from '../../core/errors.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import type { Telemetry } from '../../core/telemetry/telemetry.ts';
import { type Installation, openInstallation } from '../installation.ts';
import type { MetricsSnapshot } from '../metrics/metrics.ts';
import { createLineWriter } from './lines.ts';
import type { FromWorker, ToWorker } from './messages.ts';

const lines = createLineWriter((text) => process.stdout.write(text));
const telemetry: Telemetry = { write: lines.write };

// A terminal and systemd signal the whole group: when to stop is for the first process to say.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('uncaughtException', (thrown) => {
  recordInternalError(telemetry, asCountersignError(thrown), '');
  lines.flush();
  process.exit(1);
});

let installation: Installation | undefined;
const asked = new Map<number, (text: string | undefined) => void>();
let lastId = 0;

process.on('message', async (message: ToWorker) => {
  switch (message.kind) {
    case 'open':
      try {
        installation = await openInstallation(message.options, {
          telemetry,
          metrics: metricsOfAll,
          sharesPort: true,
          lastSound: message.lastSound,
          onVerdict: (verdict) => tell({ kind: 'verdict', verdict }),
        });
        tell({ kind: 'opened', port: installation.port });
      } catch (thrown) {
        tell({ kind: 'failed', sentence: (thrown as Error).message }, () => process.exit(1));
      }
      return;
    case 'close': {
      const cutOff = (await installation?.close(message.deadlineMs)) ?? 0;
      lines.flush();
      tell({ kind: 'closed', cutOff }, () => process.exit(0));
      return;
    }
    case 'snapshot':
      if (installation) tell({ kind: 'snapshot', id: message.id, snapshot: await installation.snapshot() });
      return;
    case 'verdict':
      installation?.take(message.verdict);
      return;
    case 'metrics':
      asked.get(message.id)?.(message.text);
      asked.delete(message.id);
  }
});

/** The first process asks everybody, this one included. */
async function metricsOfAll(_own: () => Promise<MetricsSnapshot>): Promise<string> {
  const id = ++lastId;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  asked.set(id, resolve);
  tell({ kind: 'metrics', id });
  const text = await promise;
  if (text === undefined) throw new Error('The first process could not put the metrics together.');
  return text;
}

function tell(message: FromWorker, then?: () => void): void {
  process.send?.(message, undefined, undefined, () => then?.());
}
