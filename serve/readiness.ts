// Whether a process can serve: the folder of identities can be read, one in it can be used, and it is not shutting down.
import { readdir } from 'node:fs/promises';
import type { IdentityCache } from '../core/identity/cache.ts';
import { identityNamePattern } from '../core/settings.ts';

export type Readiness = 'ready' | 'shutting-down' | 'identities-unreadable' | 'no-usable-identity';

/** Folders that may be tried for each answer; who has that many broken ones is not ready. */
const maxTried = 100;
/** Anybody may ask: what was found holds for so long, in milliseconds. */
const holdsMs = 1_000;

export interface ReadinessCheck {
  check(): Promise<Readiness>;
  shutDown(): void;
}

export function createReadiness(folder: string, identities: Pick<IdentityCache, 'get'>): ReadinessCheck {
  let isShuttingDown = false;
  let found: { readonly at: number; readonly readiness: Promise<Readiness> } | undefined;
  return {
    async check() {
      const now = performance.now();
      if (found === undefined || now - found.at > holdsMs) found = { at: now, readiness: look(folder, identities) };
      const readiness = await found.readiness;
      return isShuttingDown ? 'shutting-down' : readiness;
    },
    shutDown() {
      isShuttingDown = true;
    },
  };
}

async function look(folder: string, identities: Pick<IdentityCache, 'get'>): Promise<Readiness> {
  const names = await identityFolders(folder).catch(() => undefined);
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

/** The names in a folder of identities, sorted; Kubernetes' own `..data` beside them is none. Rejects when the folder cannot be read. */
export async function identityFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => identityNamePattern.test(name)).sort();
}
