// Whether a process is ready: the folder of identities can be read, one of them can be used, and it is not shutting
// down.
import { readdir } from 'node:fs/promises';
import type { IdentityCache } from '../core/identity/cache.ts';
import { identityNamePattern } from '../core/settings.ts';

export type Readiness = 'ready' | 'shutting-down' | 'identities-unreadable' | 'no-usable-identity';

/** Folders tried for one answer: with so many unusable identities, the process is not ready. */
const maxTried = 100;
/** The route needs no authentication, so its result is kept for this time, in milliseconds. */
const reuseMs = 1_000;

export interface ReadinessCheck {
  check(): Promise<Readiness>;
  shutDown(): void;
}

export function createReadinessCheck(folder: string, identities: Pick<IdentityCache, 'get'>): ReadinessCheck {
  let isShuttingDown = false;
  let last: { readonly at: number; readonly readiness: Promise<Readiness> } | undefined;
  return {
    async check() {
      const now = performance.now();
      if (last === undefined || now - last.at > reuseMs) last = { at: now, readiness: check(folder, identities) };
      const readiness = await last.readiness;
      return isShuttingDown ? 'shutting-down' : readiness;
    },
    shutDown() {
      isShuttingDown = true;
    },
  };
}

async function check(folder: string, identities: Pick<IdentityCache, 'get'>): Promise<Readiness> {
  const names = await listIdentities(folder).catch(() => undefined);
  if (names === undefined) return 'identities-unreadable';
  for (const name of names.slice(0, maxTried)) {
    const isUsable = await Promise.resolve(identities.get(name)).then(
      () => true,
      () => false,
    );
    if (isUsable) return 'ready';
  }
  return 'no-usable-identity';
}

/** Sorted names; entries such as the `..data` of Kubernetes are left out. Rejects if the folder cannot be read. */
export async function listIdentities(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => identityNamePattern.test(name)).sort();
}
