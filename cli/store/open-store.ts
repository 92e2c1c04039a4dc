// Opens the store that a verb works on, and loads no more than that one needs.
import type { CommandContext } from '../context.ts';
import { chosenStore, type StoreOptions, useStore } from './chosen-store.ts';
import type { IdentityStore } from './identity-store.ts';

/** Of the stack (docs/deploy.md): the functions may decrypt with no other. */
const stackKey = 'alias/Countersign';

export interface WriteOptions extends StoreOptions {
  readonly kmsKey?: string;
}

/** Throws a usage error. From here on the environment of the process is that of the store. */
export async function openStore(options: WriteOptions, context: CommandContext): Promise<IdentityStore> {
  const chosen = chosenStore(options, context.environment);
  useStore(chosen, context.environment);
  if (chosen.kind === 'directory') return await (await import('./directory-store.ts')).openDirectoryStore(chosen.path);
  const { openSecretsManagerStore } = await import('./secrets-manager-store.ts');
  const kmsKey = options.kmsKey ?? (chosen.kind === 'aws' ? stackKey : undefined);
  const { withEffectiveEndpoint } = await import('./effective-endpoint.ts');
  const there = chosen.kind === 'aws' ? await withEffectiveEndpoint(chosen) : chosen;
  return await openSecretsManagerStore(there, kmsKey === 'default' ? undefined : kmsKey);
}
