// setSecret: publishes the pending certificate before anything presents it, so that customers who pin can prepare.
import { X509Certificate } from 'node:crypto';
import type { DetailType } from '../events/event-publisher.ts';
import { briefDetail, identityDetail } from '../events/event-publisher.ts';
import type { Identity } from '../identity/identity.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { certificateOf, membersOf } from './current-document.ts';
import { type Rotation, readCurrent, requirePending } from './rotation.ts';

export async function setSecret(rotation: Rotation): Promise<void> {
  const { identity } = await requirePending(rotation);
  await publishCertificate(rotation, 'Certificate Pending', identity, await readCurrent(rotation));
  rotation.record.outcome = 'announced';
}

/**
 * The member of the event detail for the other certificate: the current one until it is replaced, then the previous
 * one.
 */
const otherMember: Readonly<Record<DetailType, 'current' | 'previous'>> = {
  'Certificate Pending': 'current',
  'Certificate Rejected': 'current',
  'Certificate Activated': 'previous',
};

/**
 * Publishes the certificate of `identity`; `more` is added to the detail. The detail has `newRoot` if the root differs
 * from that of `other`: customers who trust the root must then trust the new root first. Throws `announcement-failed`.
 */
export function publishCertificate(
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
  return services.events.publish({
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

/** Undefined if the document cannot be read: the steps that need the document report that. */
function certificateIn(stored: StoredVersion | undefined, member: 'certificate' | 'rootCertificate') {
  if (stored === undefined) return undefined;
  try {
    return certificateOf(membersOf(stored.document)[member]);
  } catch {
    return undefined;
  }
}
