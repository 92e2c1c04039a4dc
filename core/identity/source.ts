// Chooses where identities are read from, and loads no more than that source needs.
import type { Settings } from '../settings.ts';
import type { IdentitySource } from './identity.ts';

/** The SDK takes most of the time a cold start has: an installation that reads a directory never loads it. */
export async function openSource(settings: Settings): Promise<IdentitySource> {
  if (settings.identitySource.kind === 'directory') {
    const { directorySource } = await import('./directory.ts');
    return directorySource(settings.identitySource.path);
  }
  const { secretsManagerSource } = await import('./secrets-manager.ts');
  return secretsManagerSource({ prefix: settings.secretPrefix });
}
