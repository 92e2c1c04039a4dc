// setSecret: announces the certificate that is to come, before anything uses it, so that customers who pin can be told.

import type { DetailType } from '../announcement/announcement.ts';
import { briefDetail, identityDetail } from '../announcement/certificate-detail.ts';
import type { Identity } from '../identity/identity.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { certificateOf, membersOf } from './current-document.ts';
import { labels, prove, type Rotation, readCurrent, readPending, refused } from './rotation.ts';

export async function setSecret(rotation: Rotation): Promise<void> {
  const pending = await requirePending(rotation);
  await announceCertificate(rotation, 'Certificate Pending', pending, await readCurrent(rotation));
  rotation.record.outcome = 'announced';
}

/** The next version, whole and usable by the rules of today. Throws `rotation-refused` when createSecret has not made it. */
export async function requirePending(rotation: Rotation): Promise<Identity> {
  const stored = await readPending(rotation);
  if (!stored) {
    throw refused('no-value', 'The version has no value yet: createSecret comes first.', rotation.token);
  }
  return prove(rotation, stored, labels.pending);
}

/** `other`: the current one while `identity` is pending, the previous one once it is in use. */
export function announceCertificate(
  { services, secretArn }: Rotation,
  detailType: DetailType,
  identity: Identity,
  other: StoredVersion | undefined,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const member = detailType === 'Certificate Activated' ? 'previous' : 'current';
  const brief = briefDetail(certificateIn(other));
  return services.announce({
    detailType,
    secretArn,
    detail: { ...identityDetail(identity), ...(brief && { [member]: brief }), ...more },
  });
}

function certificateIn(stored: StoredVersion | undefined) {
  if (stored === undefined) return undefined;
  try {
    return certificateOf(membersOf(stored.document).certificate);
  } catch {
    // A document that is none has no certificate to speak of; that it is none is told by who needs it.
    return undefined;
  }
}
