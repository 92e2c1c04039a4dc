// The Prometheus metrics: counted in each process, and exposed as one text for all processes.
import { AggregatorRegistry, Counter, Gauge, Histogram, type Metric, Registry } from 'prom-client';
import type { Meter } from '../../core/telemetry/telemetry.ts';

/** A registry as JSON, to be sent between processes. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export interface ServeMetrics {
  readonly meter: Meter;
  /** `code` of the error table, or the status of an answer without a code. */
  requestRejected(code: string): void;
  /** A connection above the limit was closed. */
  connectionRejected(): void;
  snapshot(): Promise<MetricsSnapshot>;
}

export interface Gauges {
  callsInFlight(): number;
  openConnections(): number;
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 28];

/** Hosts are not labels: a caller that can call any host could create any number of series. */
export function createServeMetrics(gauges: Gauges): ServeMetrics {
  const registers = [new Registry()] as const;
  const calls = new Counter({
    name: 'countersign_calls_total',
    help: 'Invocations by outcome: answered, or the code of the failure.',
    labelNames: ['outcome'],
    registers: [...registers],
  });
  const duration = new Histogram({
    name: 'countersign_call_duration_seconds',
    help: 'From the request to the response of an invocation.',
    buckets,
    registers: [...registers],
  });
  const connections = new Counter({
    name: 'countersign_connections_total',
    help: 'Connections that invocations used: new (a full handshake), resumed, reused.',
    labelNames: ['kind'],
    registers: [...registers],
  });
  const diagnoses = new Counter({
    name: 'countersign_diagnoses_total',
    help: 'Diagnoses by verdict, or by the code of the failure.',
    labelNames: ['verdict'],
    registers: [...registers],
  });
  const refreshFailures = new Counter({
    name: 'countersign_identity_refresh_failures_total',
    help: 'Changed files of an identity that could not be read or used; the version in use stays.',
    labelNames: ['identity'],
    registers: [...registers],
  });
  const rejectedRequests = new Counter({
    name: 'countersign_refused_requests_total',
    help: 'Requests that reached no function, by code or status.',
    labelNames: ['code'],
    registers: [...registers],
  });
  const rejectedConnections = new Counter({
    name: 'countersign_refused_connections_total',
    help: 'Connections that were closed because there were too many.',
    registers: [...registers],
  });
  new Gauge({
    name: 'countersign_calls_in_flight',
    help: 'Calls whose response is not sent yet.',
    registers: [...registers],
    collect() {
      this.set(gauges.callsInFlight());
    },
  });
  new Gauge({
    name: 'countersign_inbound_connections',
    help: 'Connections of callers that are open.',
    registers: [...registers],
    collect() {
      this.set(gauges.openConnections());
    },
  });
  processMetrics(registers[0]);

  const countCall = children(calls, 'outcome');
  const countConnection = children(connections, 'kind');
  return {
    meter: {
      invocation({ code, connection, earlierConnections, totalMs }) {
        countCall(code ?? 'answered');
        duration.observe(totalMs / 1000);
        if (connection !== undefined) countConnection(connection);
        for (const earlier of earlierConnections ?? []) countConnection(earlier);
      },
      diagnosis: ({ verdict, code }) => diagnoses.inc({ verdict: verdict ?? code ?? 'unknown' }),
      refreshFailed: (identity) => refreshFailures.inc({ identity }),
    },
    requestRejected: (code) => rejectedRequests.inc({ code }),
    connectionRejected: () => rejectedConnections.inc(),
    snapshot: () => registers[0].getMetricsAsJSON(),
  };
}

/** Keeps the child of each label value: prom-client sorts and joins the labels at each look-up. */
function children<Label extends string>(counter: Counter<Label>, label: Label): (value: string) => void {
  const known = new Map<string, Counter.Internal>();
  return (value) => {
    let child = known.get(value);
    if (child === undefined) {
      child = counter.labels({ [label]: value } as Record<Label, string>);
      known.set(value, child);
    }
    child.inc();
  };
}

/** Under the names that Prometheus client libraries use; summed over all processes. */
function processMetrics(register: Registry): Metric[] {
  let counted = 0;
  return [
    new Counter({
      name: 'process_cpu_seconds_total',
      help: 'User and system CPU time, in seconds.',
      registers: [register],
      collect() {
        const { user, system } = process.cpuUsage();
        const seconds = (user + system) / 1e6;
        this.inc(seconds - counted);
        counted = seconds;
      },
    }),
    new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory, in bytes.',
      registers: [register],
      collect() {
        this.set(process.memoryUsage.rss());
      },
    }),
  ];
}

/** One text of all snapshots (Prometheus text format), with the counters of processes that have ended. */
export async function expose(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate([...snapshots]).metrics();
}

/** Adds the counters of an ended process, from its last snapshot, so that no total falls. Gauges are dropped. */
export async function addEnded(totals: MetricsSnapshot, last: MetricsSnapshot): Promise<MetricsSnapshot> {
  const lasting = last.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram');
  return AggregatorRegistry.aggregate([totals, lasting]).getMetricsAsJSON();
}
