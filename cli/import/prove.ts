// Proves an identity before it is stored: by the platform's own rules, then by real handshakes in memory.
import { CountersignError } from '../../core/errors.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import { serverRefusal } from '../../core/tls/identity-proof.ts';
import type { ImportedDocument } from './identity-from.ts';

/**
 * `now` (milliseconds since 1970) is what the dates are held against. Throws `identity-unusable`: what the platform would
 * refuse by its own rules (docs/identities.md), and `handshake-failed` with OpenSSL's reason.
 */
export async function prove(document: ImportedDocument, now: number = Date.now()): Promise<void> {
  const stored = { version: 'import', stage: 'AWSPENDING', document: JSON.stringify(document) } as const;
  const refusal = await serverRefusal(checkIdentity('import', stored, now));
  if (refusal === undefined) return;
  throw new CountersignError('identity-unusable', refusal.sentence, {
    evidence: { reason: 'handshake-failed', where: refusal.version },
  });
}
