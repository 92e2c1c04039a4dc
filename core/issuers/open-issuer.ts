// Chooses who signs the next certificate, and loads no more than that issuer needs.
import type { IssuerSettings } from '../identity/renewal.ts';
import { renewalUnusable } from '../identity/unusable.ts';
import type { Issuer } from './issuer.ts';

/** Throws `renewal-unusable` for settings that the issuer cannot work with, and for `local` on Lambda, where loopback is none of ours. */
export async function openIssuer(
  settings: IssuerSettings,
  { isOnLambda = false }: { readonly isOnLambda?: boolean } = {},
): Promise<Issuer> {
  switch (settings.kind) {
    case 'aws-private-ca':
      return (await import('./aws-private-ca.ts')).awsPrivateCaIssuer(settings);
    case 'step-ca':
      return (await import('./step-ca.ts')).stepCaIssuer(settings);
    case 'est':
      return (await import('./est.ts')).estIssuer(settings);
    case 'manual':
      return (await import('./manual.ts')).manualIssuer();
    case 'local':
      if (isOnLambda) {
        throw renewalUnusable('local-on-lambda', 'renewal: issuer.kind local is for the local cloud, not for Lambda.');
      }
      return (await import('./local.ts')).localIssuer(settings);
  }
}
