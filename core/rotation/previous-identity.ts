// The version that customers are served with who do not take the current one; promoting another takes it away from them.
import { X509Certificate } from 'node:crypto';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { isStoredRequest, stagingLabels } from '../versions/versions.ts';
import { prove, type Rotation } from './rotation.ts';

/**
 * AWSPREVIOUS, by the rules by which calls present it (docs/rotation.md, "When a customer does not trust it yet"): usable, and
 * another certificate than `current`. Undefined when it is not; then nobody is served with it. Throws `identity-unavailable`.
 */
export async function previousIdentity(rotation: Rotation, current: Identity): Promise<Identity | undefined> {
  try {
    const stored = await rotation.services.versions.read(rotation.secretArn, { stage: stagingLabels.previous });
    if (stored === undefined || isStoredRequest(stored)) return undefined;
    const previous = prove(rotation, stored, stagingLabels.previous);
    return fingerprintOf(previous) === fingerprintOf(current) ? undefined : previous;
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === 'identity-unusable') return undefined;
    throw thrown;
  }
}

function fingerprintOf({ certificate }: Identity): string {
  return new X509Certificate(certificate).fingerprint256;
}
