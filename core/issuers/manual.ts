// The issuer that is a person: the certificate request waits with the version that is to come, until its certificate is put in.
import { CountersignError } from '../errors.ts';
import type { Issuer } from './issuer.ts';

/**
 * Always throws `signature-awaited`. The request is kept by the rotation (the version with the label COUNTERSIGN_REQUEST),
 * and the rotation that finds the certificate beside it does not ask an issuer.
 */
export function manualIssuer(): Issuer {
  return {
    async issue({ identity }) {
      throw new CountersignError(
        'signature-awaited',
        `The certificate request of identity "${identity}" waits for whoever holds the authority to sign it.`,
        {
          evidence: { reason: 'manual' },
          hint: 'The platform must have the request signed and put the certificate in, then start the rotation again; docs/issuers.md, "manual", has the commands.',
        },
      );
    },
  };
}
