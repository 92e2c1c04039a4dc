// Worker processes that share one port: started, asked for their metrics, replaced when they die, and closed together.
import cluster, { type Worker } from 'node:cluster';
import { join } from 'node:path';
import { createVerdicts, type NotedVerdict } from '../../console/verdicts.ts';
import { asCountersignError } from '../../core/errors.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';
import { addEnded, expose } from '../metrics/exposition.ts';
import type { Inspection } from '../metrics/identity-inspection.ts';
import type { MetricsSnapshot } from '../metrics/metrics.ts';
import type { ServeOptions } from '../options.ts';
import { keepOwnFiles } from '../reload/tls-files.ts';
import type { FromWorker, ToWorker } from './messages.ts';

export interface Workers {
  readonly port: number;
  /** Process ids of those that serve. */
  pids(): number[];
  /** @returns how many calls had to be cut off */
  close(deadlineMs: number): Promise<number>;
  /** At once. */
  kill(): void;
}

/** One that served for so long is replaced at once; one that dies before that waits for the others' backoff. */
const soundAfterMs = 10_000;
const firstDelayMs = 500;
const maxDelayMs = 30_000;
/** A worker whose loop is busy is left out of one answer, with what it said last in its place. */
const snapshotPatienceMs = 2_000;

interface Member {
  readonly worker: Worker;
  readonly startedAt: number;
  isOpen: boolean;
  last: MetricsSnapshot;
  cutOff: number;
  /** For its metrics, by the id of the question; undefined when it has ended. */
  readonly waiting: Map<number, (snapshot: MetricsSnapshot | undefined) => void>;
}

/** `options.port` is not 0: it must stay the same for whoever is started later. Throws an Error with one sentence. */
export async function startWorkers(
  options: ServeOptions,
  inspection: Inspection,
  telemetry: Telemetry,
): Promise<Workers> {
  // Each worker accepts from the one socket by itself. Handed over by the first process, a connection hangs for ever when it is on
  // its way to a worker that dies, and a worker that has no descriptor left for one is never given another.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: join(import.meta.dirname, 'worker.ts'), args: [], execArgv: [] });
  const files = await keepOwnFiles(options, { telemetry: undefined });
  const members = new Set<Member>();
  const verdicts = createVerdicts();
  let ended: MetricsSnapshot = [];
  let lastId = 0;
  let deaths = 0;
  let isServing = false;
  let isClosing = false;
  let replacing: NodeJS.Timeout | undefined;
  let missing = 0;

  function start(): Promise<void> {
    const worker = cluster.fork();
    const member: Member = {
      worker,
      startedAt: performance.now(),
      isOpen: false,
      last: [],
      cutOff: 0,
      waiting: new Map(),
    };
    members.add(member);
    // What is sent to one that is dying; its end is told by `exit`.
    worker.on('error', () => {});
    tell(member, { kind: 'open', options, lastSound: files.texts() });
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'opened') {
          member.isOpen = true;
          inspection.workerStarted();
          for (const verdict of verdicts.all()) tell(member, { kind: 'verdict', verdict });
          resolve();
        } else if (message.kind === 'failed') {
          // What keeps the first ones from starting is told by whoever started them all.
          if (isServing) writeLine(telemetry, { level: 'ERROR', message: 'worker failed', detail: message.sentence });
          reject(new Error(message.sentence));
        } else heard(member, message);
      });
      worker.once('exit', (code, signal) => {
        members.delete(member);
        for (const resolve of member.waiting.values()) resolve(undefined);
        reject(new Error(`A worker process ended as it started (${signal ?? code}).`));
        if (!isClosing) died(member, signal ?? String(code));
      });
    });
  }

  function heard(member: Member, message: FromWorker): void {
    if (message.kind === 'closed') member.cutOff = message.cutOff;
    else if (message.kind === 'verdict') noted(member, message.verdict);
    else if (message.kind === 'snapshot') {
      member.last = message.snapshot;
      member.waiting.get(message.id)?.(message.snapshot);
    } else if (message.kind === 'metrics') {
      const { id } = message;
      metrics().then(
        (text) => tell(member, { kind: 'metrics', id, text }),
        (thrown) => {
          recordInternalError(telemetry, asCountersignError(thrown), '');
          tell(member, { kind: 'metrics', id, text: undefined });
        },
      );
    }
  }

  /** Whoever is started later is told all of them. */
  function noted(from: Member, verdict: NotedVerdict): void {
    verdicts.add(verdict);
    for (const member of members) if (member !== from) tell(member, { kind: 'verdict', verdict });
  }

  function died(member: Member, how: string): void {
    if (member.isOpen) inspection.workerEnded();
    const { last } = member;
    settling = settling.then(async () => {
      ended = await addEnded(ended, last);
    });
    const servedMs = Math.round(performance.now() - member.startedAt);
    deaths = servedMs >= soundAfterMs ? 0 : deaths + 1;
    const delayMs = deaths <= 1 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** (deaths - 2));
    writeLine(telemetry, {
      level: 'ERROR',
      message: 'worker died',
      pid: member.worker.process.pid,
      how,
      servedMs,
      replacedInMs: delayMs,
    });
    missing += 1;
    replacing ??= setTimeout(replace, delayMs);
  }
  let settling: Promise<void> = Promise.resolve();

  function replace(): void {
    replacing = undefined;
    for (; missing > 0 && !isClosing; missing--) start().catch(() => {});
  }

  async function metrics(): Promise<string> {
    const snapshots = await Promise.all([...members].filter(({ isOpen }) => isOpen).map(snapshotOf));
    await settling;
    return expose([...snapshots, ended, await inspection.snapshot()]);
  }

  async function snapshotOf(member: Member): Promise<MetricsSnapshot> {
    const id = ++lastId;
    const { promise, resolve } = Promise.withResolvers<MetricsSnapshot | undefined>();
    const timer = setTimeout(resolve, snapshotPatienceMs, undefined);
    member.waiting.set(id, resolve);
    tell(member, { kind: 'snapshot', id });
    const snapshot = await promise;
    clearTimeout(timer);
    member.waiting.delete(id);
    return snapshot ?? member.last;
  }

  const kill = () => {
    isClosing = true;
    files.close();
    clearTimeout(replacing);
    for (const { worker } of members) worker.process.kill('SIGKILL');
  };
  try {
    await Promise.all(Array.from({ length: options.workers }, start));
    isServing = true;
  } catch (thrown) {
    kill();
    throw thrown;
  }
  return {
    port: options.port,
    pids: () => [...members].filter(({ isOpen }) => isOpen).map(({ worker }) => worker.process.pid as number),
    async close(deadlineMs) {
      isClosing = true;
      files.close();
      clearTimeout(replacing);
      const closing = [...members];
      const ends = closing.map(({ worker }) => new Promise((resolve) => worker.once('exit', resolve)));
      for (const member of closing) tell(member, { kind: 'close', deadlineMs });
      // Whoever does not even cut off in time is cut off.
      const late = setTimeout(kill, deadlineMs + 2_000);
      await Promise.all(ends);
      clearTimeout(late);
      return closing.reduce((sum, { cutOff }) => sum + cutOff, 0);
    },
    kill,
  };
}

function tell({ worker }: Member, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {});
}
