// Opens the issuer of a renewal; loads only the modules that it needs. The issuer `manual` is here.
import { CountersignError } from '../errors.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { renewalUnusable } from '../identity/unusable.ts';
import type { Issuer } from './issuer.ts';

/** Throws `renewal-unusable` for wrong settings, and for `local` on Lambda, where loopback leads to the runtime. */
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
      return manualIssuer();
    case 'local':
      if (isOnLambda) {
        throw renewalUnusable('local-on-lambda', 'renewal: issuer.kind local is for the local cloud, not for Lambda.');
      }
      return (await import('./local.ts')).localIssuer(settings);
  }
}

/**
 * Always throws `signature-awaited`: a person signs the request, which the rotation stores at COUNTERSIGN_REQUEST. Once
 * the certificate is stored, the rotation no longer asks the issuer.
 */
export function manualIssuer(): Issuer {
  return {
    async issue({ identity }) {
      throw new CountersignError(
        'signature-awaited',
        `The certificate request of identity "${identity}" waits for a signature.`,
        {
          evidence: { reason: 'manual' },
          hint: 'The platform must have the request signed, store the certificate, and start the rotation again; docs/issuers.md, "manual", has the commands.',
        },
      );
    },
  };
}
