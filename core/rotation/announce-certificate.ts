// Announces a certificate beside the one that it replaces, and whether customers must be given another root.
import { X509Certificate } from 'node:crypto';
import { briefDetail, identityDetail } from '../events/certificate-detail.ts';
import type { DetailType } from '../events/event-publisher.ts';
import type { Identity } from '../identity/identity.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { certificateOf, membersOf } from './current-document.ts';
import type { Rotation } from './rotation.ts';

/** The member of the detail that the other certificate stands in: the current one until it is replaced, the previous one after. */
const otherMember: Readonly<Record<DetailType, 'current' | 'previous'>> = {
  'Certificate Pending': 'current',
  'Certificate Rejected': 'current',
  'Certificate Activated': 'previous',
};

/**
 * `more` goes into the detail as well. `newRoot` is there where the two end at different roots: customers who trust the root
 * must be told then, which they need not otherwise. Throws `announcement-failed`.
 */
export function announceCertificate(
  { services, secretArn, record }: Rotation,
  detailType: DetailType,
  identity: Identity,
  other: StoredVersion | undefined,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const brief = briefDetail(certificateIn(other, 'certificate'));
  const root = certificateIn(other, 'rootCertificate')?.fingerprint256;
  const isNewRoot = root !== undefined && root !== new X509Certificate(identity.rootCertificate).fingerprint256;
  if (isNewRoot) record.newRoot = true;
  return services.announce({
    detailType,
    secretArn,
    detail: {
      ...identityDetail(identity),
      ...(brief && { [otherMember[detailType]]: brief }),
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
