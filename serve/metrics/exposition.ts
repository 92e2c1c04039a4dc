// The metrics of all processes as one text: of those that serve, and of those that ended, so that no count ever falls.
import { AggregatorRegistry } from 'prom-client';
import type { MetricsSnapshot } from './metrics.ts';

export async function expose(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate(copyOf(snapshots)).metrics();
}

/** What of an ended process still counts: its counters, as they were when they were last asked for. Gauges ended with it. */
export async function addEnded(ended: MetricsSnapshot, last: MetricsSnapshot): Promise<MetricsSnapshot> {
  const lasting = last.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram');
  return AggregatorRegistry.aggregate(copyOf([ended, lasting])).getMetricsAsJSON();
}

/** Its types say array of objects; it reads no more than what a snapshot has. */
function copyOf(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot[] {
  return snapshots.filter((snapshot) => snapshot.length > 0);
}
