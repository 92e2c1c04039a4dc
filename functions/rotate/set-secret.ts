// setSecret: announces the certificate that is to come, before anything uses it, so that customers who pin can be told.
import { X509Certificate } from 'node:crypto';
import type { DetailType } from '../announcement/announcement.ts';
import { briefDetail, identityDetail } from '../announcement/certificate-detail.ts';
import type { Identity } from '../identity/identity.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { certificateOf, membersOf } from './current-document.ts';
import { labels, prove, type Rotation, readCurrent, readPending, refused } from './rotation.ts';

export async function setSecret(rotation: Rotation): Promise<void> {
  const { identity } = await requirePending(rotation);
  await announceCertificate(rotation, 'Certificate Pending', identity, await readCurrent(rotation));
  rotation.record.outcome = 'announced';
}

/** The next version, whole and usable by the rules of today. Throws `rotation-refused` when createSecret has not made it. */
export async function requirePending(rotation: Rotation): Promise<{ identity: Identity; stored: StoredVersion }> {
  const stored = await readPending(rotation);
  if (!stored) {
    throw refused('no-value', 'The version has no value yet: createSecret comes first.', rotation.token);
  }
  return { identity: prove(rotation, stored, labels.pending), stored };
}

/**
 * `other`: the current one while `identity` is pending, the previous one once it is in use. `newRoot` is there where they end at
 * different roots: customers who trust the root must be told then, which they need not otherwise.
 */
export function announceCertificate(
  { services, secretArn, record }: Rotation,
  detailType: DetailType,
  identity: Identity,
  other: StoredVersion | undefined,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const member = detailType === 'Certificate Activated' ? 'previous' : 'current';
  const brief = briefDetail(certificateIn(other, 'certificate'));
  const root = certificateIn(other, 'rootCertificate')?.fingerprint256;
  const isNewRoot = root !== undefined && root !== new X509Certificate(identity.rootCertificate).fingerprint256;
  if (isNewRoot) record.newRoot = true;
  return services.announce({
    detailType,
    secretArn,
    detail: {
      ...identityDetail(identity),
      ...(brief && { [member]: brief }),
      ...(isNewRoot && { newRoot: true }),
      ...more,
    },
  });
}

function certificateIn(stored: StoredVersion | undefined, member: 'certificate' | 'rootCertificate') {
  if (stored === undefined) return undefined;
  try {
    return certificateOf(membersOf(stored.document)[member]);
  } catch {
    // A document that is none has no certificate to speak of; that it is none is told by who needs it.
    return undefined;
  }
}
