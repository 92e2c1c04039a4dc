// Findings of a rotation benchmark: failed calls, late uses of an old certificate, connections that outlived it, and
// times.
import { percentile } from '../run.ts';
import { type RotationLoad, settledMs } from './rotate-under-load.ts';

export interface Findings {
  readonly calls: number;
  readonly failed: readonly string[];
  /** Calls that presented an older certificate although they began after the switch, the time to live and the read. */
  readonly late: number;
  /**
   * Calls that presented an older certificate although they began after the next rotation began, or after the last one
   * had settled. As `late`, but by the order of events: a busy machine stretches times.
   */
  readonly behind: number;
  /** All calls that began after such a moment. */
  readonly afterSettling: number;
  /** Calls that presented an older certificate although they began after a response to a call with a newer one. */
  readonly backwards: number;
  /**
   * Milliseconds from the switch and the time to live to the start of the last call with an older certificate; may be
   * negative.
   */
  readonly latestMs: number;
  /** With a certificate that was replaced. */
  readonly oldConnections: number;
  /** Of those, open at the end. */
  readonly stillOpen: number;
  /**
   * Milliseconds: the longest that one stayed open after its last response and the first call with the next
   * certificate.
   */
  readonly longestOpenMs: number;
  /** Milliseconds of a call: from RotateSecret until the rotation has settled, and otherwise. */
  readonly rotating: { readonly calls: number; readonly p50: number; readonly p99: number };
  readonly rest: { readonly calls: number; readonly p50: number; readonly p99: number };
}

/** The most that the read in the first call after the time to live takes (core/tls/attempt.ts). */
const readMs = 500;

export function findingsOf({ calls, rotations, connections, recordedAt }: RotationLoad, ttlMs: number): Findings {
  const answered = calls.filter(({ failure }) => failure === undefined);
  const generations = new Map(rotations.map(({ fingerprint256 }, index) => [fingerprint256, index]));
  /** -1: from before the first rotation. */
  const generationOf = (fingerprint256: string) => generations.get(fingerprint256) ?? -1;

  let latestMs = Number.NEGATIVE_INFINITY;
  let late = 0;
  const firstUsedAt = rotations.map(() => Number.POSITIVE_INFINITY);
  for (const { begunAt, fingerprint256 } of answered) {
    const generation = generationOf(fingerprint256);
    const next = rotations[generation + 1];
    const afterMs = next ? begunAt - next.switchedAt - ttlMs : Number.NEGATIVE_INFINITY;
    latestMs = Math.max(latestMs, afterMs);
    if (afterMs > readMs) late += 1;
    if (generation >= 0) firstUsedAt[generation] = Math.min(firstUsedAt[generation] ?? 0, begunAt);
  }

  const settledAt = rotations.map((_, index) => rotations[index + 1]?.begunAt ?? recordedAt);
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
  const openMs = old.map(({ fingerprint256, lastAnswerAt = 0, closedAt = recordedAt }) => {
    const nextAt = firstUsedAt[generationOf(fingerprint256) + 1] ?? recordedAt;
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
