// The primary process: starts the workers that share one port, collects their metrics, replaces dead ones, closes them.
import type { SendHandle } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import { createRecentVerdicts, type RecordedVerdict } from '../../console/recent-verdicts.ts';
import { asCountersignError } from '../../core/errors.ts';
import { programFile } from '../../core/package-folder.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';
import { bindPort, type PortHandle } from '../../listener/listen.ts';
import { connectionReportMs, connectionsToRelease } from '../http/connection-share.ts';
import type { IdentityInspection } from '../metrics/identity-inspection.ts';
import { addEnded, expose, type MetricsSnapshot } from '../metrics/metrics.ts';
import type { ServeOptions } from '../options.ts';
import { openTlsFiles, type TlsFileTexts } from '../reload/tls-files.ts';

export type ToWorker =
  /** Comes with the handle of the port. `lastGood`: used in place of files that cannot be used at the moment. */
  | { readonly kind: 'open'; readonly options: ServeOptions; readonly lastGood: TlsFileTexts }
  | { readonly kind: 'close'; readonly deadlineMs: number }
  | { readonly kind: 'snapshot'; readonly id: number }
  /** The next `count` answers close their connections, so that callers connect again to other workers. */
  | { readonly kind: 'release'; readonly count: number }
  /** Answers a worker's `metrics`; `text` is undefined if they could not be collected. */
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string | undefined }
  | VerdictMessage;

export type FromWorker =
  | { readonly kind: 'opened'; readonly port: number }
  | { readonly kind: 'failed'; readonly sentence: string }
  | { readonly kind: 'closed'; readonly cutOff: number }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** Its open connections with a request since the last report. */
  | { readonly kind: 'connections'; readonly count: number }
  /** Asks for the metrics of all processes. */
  | { readonly kind: 'metrics'; readonly id: number }
  | VerdictMessage;

/** A diagnosis ended in one process; the console of every process shows it. */
interface VerdictMessage {
  readonly kind: 'verdict';
  readonly verdict: RecordedVerdict;
}

export interface WorkerGroup {
  readonly port: number;
  /** @returns how many calls had to be cut off */
  close(deadlineMs: number): Promise<number>;
  /** Kills the workers at once. */
  kill(): void;
}

/** A worker that served for so long is replaced at once; after a shorter life, the delays back off. */
const stableAfterMs = 10_000;
const firstDelayMs = 500;
const maxDelayMs = 30_000;
/** A worker whose event loop is busy for longer is counted with its last snapshot. */
const snapshotTimeoutMs = 2_000;
/** Time for workers to report after the deadline, before they are killed. */
const closeGraceMs = 2_000;

interface Member {
  readonly worker: Worker;
  readonly startedAt: number;
  isOpen: boolean;
  lastSnapshot: MetricsSnapshot;
  /** As last reported. */
  connections: number;
  cutOff: number;
  /** By the id of the request for a snapshot; called with undefined when the worker has ended. */
  readonly pendingSnapshots: Map<number, (snapshot: MetricsSnapshot | undefined) => void>;
}

/** Throws an Error with one sentence. */
export async function startWorkers(
  requested: ServeOptions,
  inspection: IdentityInspection,
  telemetry: Telemetry,
): Promise<WorkerGroup> {
  cluster.setupPrimary({ exec: programFile('serve/workers/worker.ts'), args: [], execArgv: [] });
  const files = await openTlsFiles(requested, { telemetry: undefined });
  // Each worker accepts from the shared socket. If the primary handed connections over, one that is on its way to a
  // dying worker would hang, and a worker without a free descriptor would never be given another.
  const { port, handle } = await bindPort({ ...requested, what: 'countersign serve', option: '--port' });
  const options = { ...requested, port };
  const members = new Set<Member>();
  const verdicts = createRecentVerdicts();
  let endedTotals: MetricsSnapshot = [];
  let addingEnded: Promise<void> = Promise.resolve();
  let lastId = 0;
  let earlyDeaths = 0;
  let missing = 0;
  let isServing = false;
  let isClosing = false;
  let replacing: NodeJS.Timeout | undefined;
  let balancing: NodeJS.Timeout | undefined;

  function start(): Promise<void> {
    const worker = cluster.fork();
    const member: Member = {
      worker,
      startedAt: performance.now(),
      isOpen: false,
      lastSnapshot: [],
      connections: 0,
      cutOff: 0,
      pendingSnapshots: new Map(),
    };
    members.add(member);
    // Sending to a dying worker fails; its `exit` event follows.
    worker.on('error', () => {});
    send(member, { kind: 'open', options, lastGood: files.texts() }, handle);
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'opened') {
          member.isOpen = true;
          inspection.workerStarted();
          for (const verdict of verdicts.all()) send(member, { kind: 'verdict', verdict });
          resolve();
        } else if (message.kind === 'failed') {
          // While the first workers start, `serve` reports the failure.
          if (isServing) writeLine(telemetry, { level: 'ERROR', message: 'worker failed', detail: message.sentence });
          reject(new Error(message.sentence));
        } else onMessage(member, message);
      });
      worker.once('exit', (code, signal) => {
        members.delete(member);
        for (const resolve of member.pendingSnapshots.values()) resolve(undefined);
        reject(new Error(`A worker process ended as it started (${signal ?? code}).`));
        if (!isClosing) onDeath(member, signal ?? String(code));
      });
    });
  }

  function onMessage(member: Member, message: FromWorker): void {
    if (message.kind === 'closed') member.cutOff = message.cutOff;
    else if (message.kind === 'verdict') shareVerdict(member, message.verdict);
    else if (message.kind === 'connections') member.connections = message.count;
    else if (message.kind === 'snapshot') {
      member.lastSnapshot = message.snapshot;
      member.pendingSnapshots.get(message.id)?.(message.snapshot);
    } else if (message.kind === 'metrics') {
      const { id } = message;
      metrics().then(
        (text) => send(member, { kind: 'metrics', id, text }),
        (thrown) => {
          recordInternalError(telemetry, asCountersignError(thrown), '');
          send(member, { kind: 'metrics', id, text: undefined });
        },
      );
    }
  }

  function shareVerdict(from: Member, verdict: RecordedVerdict): void {
    verdicts.add(verdict);
    for (const member of members) if (member !== from) send(member, { kind: 'verdict', verdict });
  }

  function onDeath(member: Member, how: string): void {
    if (member.isOpen) inspection.workerEnded();
    addingEnded = addingEnded.then(async () => {
      endedTotals = await addEnded(endedTotals, member.lastSnapshot);
    });
    const servedMs = Math.round(performance.now() - member.startedAt);
    earlyDeaths = servedMs >= stableAfterMs ? 0 : earlyDeaths + 1;
    const replacedInMs = earlyDeaths <= 1 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** (earlyDeaths - 2));
    const { pid } = member.worker.process;
    writeLine(telemetry, { level: 'ERROR', message: 'worker died', pid, how, servedMs, replacedInMs });
    missing += 1;
    replacing ??= setTimeout(replace, replacedInMs);
  }

  function replace(): void {
    replacing = undefined;
    for (; missing > 0 && !isClosing; missing--) start().catch(() => {});
  }

  /** A worker that was replaced would otherwise idle, and the next death of the others lose all calls. */
  function balanceConnections(): void {
    const open = [...members].filter(({ isOpen }) => isOpen);
    const toRelease = connectionsToRelease(open.map(({ connections }) => connections));
    for (const [index, count] of toRelease.entries()) {
      if (count > 0) send(open[index] as Member, { kind: 'release', count });
    }
  }

  async function metrics(): Promise<string> {
    const snapshots = await Promise.all([...members].filter(({ isOpen }) => isOpen).map(snapshotOf));
    await addingEnded;
    return expose([...snapshots, endedTotals, await inspection.snapshot()]);
  }

  async function snapshotOf(member: Member): Promise<MetricsSnapshot> {
    const id = ++lastId;
    const { promise, resolve } = Promise.withResolvers<MetricsSnapshot | undefined>();
    const timer = setTimeout(resolve, snapshotTimeoutMs, undefined);
    member.pendingSnapshots.set(id, resolve);
    send(member, { kind: 'snapshot', id });
    const snapshot = await promise;
    clearTimeout(timer);
    member.pendingSnapshots.delete(id);
    return snapshot ?? member.lastSnapshot;
  }

  function stopReplacing(): void {
    isClosing = true;
    files.close();
    // The workers close the port: until then, and no longer, they take connections.
    handle.close();
    clearTimeout(replacing);
    clearInterval(balancing);
  }

  function kill(): void {
    stopReplacing();
    for (const { worker } of members) worker.process.kill('SIGKILL');
  }

  try {
    await Promise.all(Array.from({ length: options.workers }, start));
    isServing = true;
    balancing = setInterval(balanceConnections, connectionReportMs);
  } catch (thrown) {
    kill();
    throw thrown;
  }
  return {
    port,
    async close(deadlineMs) {
      stopReplacing();
      const closing = [...members];
      const exits = closing.map(({ worker }) => new Promise((resolve) => worker.once('exit', resolve)));
      for (const member of closing) send(member, { kind: 'close', deadlineMs });
      const killTimer = setTimeout(kill, deadlineMs + closeGraceMs);
      await Promise.all(exits);
      clearTimeout(killTimer);
      return closing.reduce((sum, { cutOff }) => sum + cutOff, 0);
    },
    kill,
  };
}

function send({ worker }: Member, message: ToWorker, handle?: PortHandle): void {
  if (worker.isConnected()) worker.send(message, handle as SendHandle | undefined, () => {});
}
