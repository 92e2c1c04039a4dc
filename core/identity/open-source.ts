// Opens the configured source of identities.
import type { Settings } from '../settings.ts';
import type { IdentitySource } from './identity.ts';

/** Loads the module of the configured source alone: the AWS SDK takes most of a cold start. */
export async function openSource(settings: Settings): Promise<IdentitySource> {
  if (settings.identitySource.kind === 'directory') {
    const { directorySource } = await import('./directory.ts');
    return directorySource(settings.identitySource.path);
  }
  const { secretsManagerSource } = await import('./secrets-manager.ts');
  return secretsManagerSource({ prefix: settings.secretPrefix });
}
