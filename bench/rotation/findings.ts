// What a run of calls and rotations says: failures, late uses of an old certificate, connections that outlived it, and times.
import { percentile } from '../table.ts';
import { type Load, settledMs } from './load.ts';

export interface Findings {
  readonly calls: number;
  readonly failed: readonly string[];
  /** Calls that began after a switch, the time to live and the read behind it, and presented an older certificate. */
  readonly late: number;
  /**
   * Calls that began after the next rotation had begun, or after the end of the last one was waited for, and presented an older
   * certificate: `late` by the order of things instead of by times, which a busy machine stretches.
   */
  readonly behind: number;
  /** Calls that began then, whatever they presented. */
  readonly afterSettling: number;
  /** Calls that began after one with a newer certificate had been answered, and presented an older one. */
  readonly backwards: number;
  /** Milliseconds after the switch and the time to live at which the last call with an older certificate began; below 0: before. */
  readonly latestMs: number;
  /** Of certificates that were replaced. */
  readonly oldConnections: number;
  /** Open at the end. */
  readonly stillOpen: number;
  /** Milliseconds: the longest that one was open after its last answer and the first call with the next certificate. */
  readonly longestOpenMs: number;
  /** Milliseconds of a call: while rotating (from RotateSecret until the time to live is over and all is settled), and otherwise. */
  readonly rotating: { readonly calls: number; readonly p50: number; readonly p99: number };
  readonly rest: { readonly calls: number; readonly p50: number; readonly p99: number };
}

/** The read behind the first call past the time to live takes so long at most (core/tls/attempt.ts). */
const readMs = 500;

export function findingsOf({ calls, rotations, connections, toldAt }: Load, ttlMs: number): Findings {
  const answered = calls.filter(({ failure }) => failure === undefined);
  const generations = new Map(rotations.map(({ fingerprint256 }, index) => [fingerprint256, index]));
  /** -1: from before the first rotation. */
  const generationOf = (fingerprint256: string) => generations.get(fingerprint256) ?? -1;

  let latestMs = Number.NEGATIVE_INFINITY;
  let late = 0;
  const takenUpAt = rotations.map(() => Number.POSITIVE_INFINITY);
  for (const { begunAt, fingerprint256 } of answered) {
    const generation = generationOf(fingerprint256);
    const next = rotations[generation + 1];
    const afterMs = next ? begunAt - next.switchedAt - ttlMs : Number.NEGATIVE_INFINITY;
    latestMs = Math.max(latestMs, afterMs);
    if (afterMs > readMs) late += 1;
    if (generation >= 0) takenUpAt[generation] = Math.min(takenUpAt[generation] ?? 0, begunAt);
  }

  const settledAt = rotations.map((_, index) => rotations[index + 1]?.begunAt ?? toldAt);
  const settled = answered.flatMap(({ begunAt, fingerprint256 }) => {
    const current = settledAt.findLastIndex((at) => begunAt > at);
    return current === -1 ? [] : [{ isBehind: generationOf(fingerprint256) < current }];
  });

  const byEnd = [...answered].sort((a, b) => a.begunAt + a.ms - (b.begunAt + b.ms));
  let newest = -1;
  let ended = 0;
  let backwards = 0;
  for (const { begunAt, fingerprint256 } of [...answered].sort((a, b) => a.begunAt - b.begunAt)) {
    for (let one = byEnd[ended]; one && one.begunAt + one.ms < begunAt; one = byEnd[++ended]) {
      newest = Math.max(newest, generationOf(one.fingerprint256));
    }
    if (generationOf(fingerprint256) < newest) backwards += 1;
  }

  const old = connections.filter(({ fingerprint256 }) => generationOf(fingerprint256) < rotations.length - 1);
  const openMs = old.map(({ fingerprint256, lastAnswerAt = 0, closedAt = toldAt }) => {
    const nextAt = takenUpAt[generationOf(fingerprint256) + 1] ?? toldAt;
    return closedAt - Math.max(lastAnswerAt, nextAt);
  });

  const isRotating = ({ begunAt, ms }: { readonly begunAt: number; readonly ms: number }) =>
    rotations.some((one) => begunAt + ms > one.begunAt && begunAt < one.switchedAt + ttlMs + settledMs);
  const times = (list: readonly { readonly ms: number }[]) => {
    const ms = list.map((one) => one.ms);
    return { calls: ms.length, p50: percentile(ms, 0.5), p99: percentile(ms, 0.99) };
  };
  return {
    calls: calls.length,
    failed: calls.flatMap(({ failure }) => (failure === undefined ? [] : [failure])),
    late,
    behind: settled.filter(({ isBehind }) => isBehind).length,
    afterSettling: settled.length,
    backwards,
    latestMs,
    oldConnections: old.length,
    stillOpen: old.filter(({ closedAt }) => closedAt === undefined).length,
    longestOpenMs: Math.max(0, ...openMs),
    rotating: times(answered.filter(isRotating)),
    rest: times(answered.filter((call) => !isRotating(call))),
  };
}
