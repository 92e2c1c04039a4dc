// Inspects every identity each minute, used or not, and counts workers: the metrics that the primary process adds.
import { Counter, Gauge, Registry } from 'prom-client';
import { checkIdentity } from '../../core/identity/check.ts';
import { directorySource, listIdentities } from '../../core/identity/directory.ts';
import type { IdentitySource } from '../../core/identity/identity.ts';
import type { MetricsSnapshot } from './metrics.ts';

export interface IdentityInspection {
  /** Reads every identity, or waits for an inspection that is running. Never rejects. */
  inspect(): Promise<void>;
  workerStarted(): void;
  workerEnded(): void;
  snapshot(): Promise<MetricsSnapshot>;
  close(): void;
}

const everyMs = 60_000;
/** About 2 ms each: more would keep a processor busy. */
const maxIdentities = 10_000;
const dayMs = 86_400_000;

export interface IdentityInspectionOptions {
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Runs in the primary process, or in the only process. */
export function createIdentityInspection({ folder, now = Date.now }: IdentityInspectionOptions): IdentityInspection {
  const source = directorySource(folder, now);
  const registry = new Registry();
  const registers = [registry];
  /** Milliseconds since 1970; undefined for an identity that cannot be used. */
  let usableUntil = new Map<string, number | undefined>();
  new Gauge({
    name: 'countersign_identity_usable',
    help: '1 when the files of the identity can be used as they are now, 0 when not.',
    labelNames: ['identity'],
    registers,
    collect() {
      this.reset();
      for (const [identity, until] of usableUntil) this.set({ identity }, until !== undefined && until > now() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'countersign_identity_days_to_expiry',
    help: 'Days until the first certificate of the chain of the identity expires; of a usable identity.',
    labelNames: ['identity'],
    registers,
    collect() {
      this.reset();
      for (const [identity, until] of usableUntil) {
        if (until !== undefined) this.set({ identity }, Math.round(((until - now()) / dayMs) * 100) / 100);
      }
    },
  });
  const workers = new Gauge({ name: 'countersign_workers', help: 'Worker processes that serve.', registers });
  const deaths = new Counter({
    name: 'countersign_worker_deaths_total',
    help: 'Worker processes that ended unexpectedly.',
    registers,
  });

  async function inspect(): Promise<void> {
    const names = await listIdentities(folder).catch((): string[] => []);
    const inspected = new Map<string, number | undefined>();
    for (const name of names.slice(0, maxIdentities)) inspected.set(name, await usableUntilOf(source, name, now()));
    usableUntil = inspected;
  }
  let inspecting: Promise<void> | undefined;
  const inspectOnce = () => {
    inspecting ??= inspect().finally(() => {
      inspecting = undefined;
    });
    return inspecting;
  };
  const timer = setInterval(inspectOnce, everyMs).unref();
  return {
    inspect: inspectOnce,
    workerStarted: () => workers.inc(),
    workerEnded: () => {
      workers.dec();
      deaths.inc();
    },
    snapshot: () => registry.getMetricsAsJSON(),
    close: () => clearInterval(timer),
  };
}

async function usableUntilOf(source: IdentitySource, name: string, now: number): Promise<number | undefined> {
  try {
    return checkIdentity(name, await source.read(name, 'AWSCURRENT'), now).usableUntil;
  } catch {
    // Callers get the reason, as does GET /v1/identities/{identity}/certificate.
    return undefined;
  }
}
