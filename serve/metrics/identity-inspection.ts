// What the metrics tell of the identities themselves, whether or not anybody calls with them: usable or not, days to expiry.
import { Counter, Gauge, Registry } from 'prom-client';
import { checkIdentity } from '../../core/identity/check.ts';
import { directorySource } from '../../core/identity/directory.ts';
import type { IdentitySource } from '../../core/identity/identity.ts';
import { identityFolders } from '../readiness.ts';
import type { MetricsSnapshot } from './metrics.ts';

export interface Inspection {
  /** Reads every identity, one after the other; one that is under way is waited for instead. Never rejects. */
  inspect(): Promise<void>;
  workerStarted(): void;
  workerEnded(): void;
  snapshot(): Promise<MetricsSnapshot>;
  close(): void;
}

const everyMs = 60_000;
/** 2 ms each; more would keep a processor busy with nothing else. */
const maxIdentities = 10_000;
const dayMs = 86_400_000;

export interface InspectionOptions {
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** In the process that serves no calls, where there is one. */
export function createInspection({ folder, now = Date.now }: InspectionOptions): Inspection {
  const source = directorySource(folder, now);
  const register = new Registry();
  const registers = [register];
  /** Until when each is usable, in milliseconds since 1970; undefined when it is not. */
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
  const ended = new Counter({
    name: 'countersign_worker_deaths_total',
    help: 'Worker processes that ended without being told to.',
    registers,
  });

  async function inspect(): Promise<void> {
    const names = await identityFolders(folder).catch((): string[] => []);
    const found = new Map<string, number | undefined>();
    for (const name of names.slice(0, maxIdentities)) found.set(name, await usableUntilOf(source, name, now()));
    usableUntil = found;
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
      ended.inc();
    },
    snapshot: () => register.getMetricsAsJSON(),
    close: () => clearInterval(timer),
  };
}

async function usableUntilOf(source: IdentitySource, name: string, now: number): Promise<number | undefined> {
  try {
    return checkIdentity(name, await source.read(name, 'AWSCURRENT'), now).usableUntil;
  } catch {
    // Why is told to callers, and by /v1/identities/{identity}/certificate.
    return undefined;
  }
}
