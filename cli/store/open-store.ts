// Opens the store of identities that the options name.
import type { CommandContext } from '../context.ts';
import type { IdentityStore } from './identity-store.ts';
import { applyStoreToEnvironment, resolveStore, type StoreOptions } from './store-options.ts';

/** The key of the stack (docs/deploy.md), and the only one that the functions can decrypt with. */
const stackKey = 'alias/Countersign';

export interface WriteOptions extends StoreOptions {
  readonly kmsKey?: string;
}

/** Throws a usage error. Changes the environment of the process to that of the store. */
export async function openStore(options: WriteOptions, context: CommandContext): Promise<IdentityStore> {
  const chosen = resolveStore(options, context.environment);
  applyStoreToEnvironment(chosen, context.environment);
  if (chosen.kind === 'directory') return await (await import('./directory-store.ts')).openDirectoryStore(chosen.path);
  const { openSecretsManagerStore, withEffectiveEndpoint } = await import('./secrets-manager-store.ts');
  const kmsKey = options.kmsKey ?? (chosen.kind === 'aws' ? stackKey : undefined);
  const there = chosen.kind === 'aws' ? await withEffectiveEndpoint(chosen) : chosen;
  return await openSecretsManagerStore(there, kmsKey === 'default' ? undefined : kmsKey);
}
