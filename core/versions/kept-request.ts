// Tells the certificate request that a rotation keeps in the secret from an identity: by what it holds, since labels can be moved.
import type { StoredVersion } from './versions.ts';

/** The value of a version that was made for COUNTERSIGN_REQUEST (core/rotation/certificate-order.ts). */
export function isRequest({ document }: Pick<StoredVersion, 'document'>): boolean {
  try {
    const { certificateRequest, for: version, certificate } = JSON.parse(document);
    return typeof certificateRequest === 'string' && typeof version === 'string' && certificate === undefined;
  } catch {
    return false;
  }
}
