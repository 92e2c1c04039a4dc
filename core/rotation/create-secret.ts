// createSecret: the next version of the identity, issued once however often it is run, and put at AWSPENDING.

import { maxDocumentBytes } from '../identity/document.ts';
import { usableParts } from '../issuers/issued.ts';
import { issuedUnusable } from '../issuers/issued-unusable.ts';
import { remainingMs } from '../tls/attempt.ts';
import { serverRefusal } from '../tls/identity-proof.ts';
import { idempotencyTokenOf } from '../versions/secret-ids.ts';
import type { SecretState, StoredVersion } from '../versions/versions.ts';
import { pollWithBackoff, stagingLabels, versionWithLabel } from '../versions/versions.ts';
import { type CertificateOrder, keptOrder } from './certificate-order.ts';
import { type CurrentDocument, currentDocument, nextMembers } from './current-document.ts';
import { requireUnchanged } from './current-unchanged.ts';
import { refused } from './refused.ts';
import { provePending, type Rotation, readCurrent, readPending } from './rotation.ts';

/** Kept back from the time of the step for putting what was issued. */
const reserveMs = 10_000;

/**
 * Throws what `usableParts`, the issuer and the parser of the current document throw; then nothing is changed but for the
 * request that is kept, and the next run goes on with that.
 */
export async function createSecret(rotation: Rotation): Promise<void> {
  const { services, secretArn, token, record } = rotation;
  const found = await services.versions.read(secretArn, { version: token });
  if (found) return goOnWith(found);

  const current = currentDocument(rotation, await readCurrent(rotation));
  const order = await keptOrder(rotation, current);
  // An earlier run may have come as far as its value, which is not shown yet: it must not be issued again.
  const late = order.wasKept ? await readPending(rotation) : undefined;
  if (late) return goOnWith(late);

  const document = await issuedDocument(rotation, current, order);
  await mustGoOn(rotation);
  const version = { version: token, document, stages: [stagingLabels.pending], rotationToken: rotation.rotationToken };
  if ((await services.versions.put(secretArn, version)) === 'stored') {
    record.outcome = 'issued';
    return;
  }
  const other = await readPending(rotation);
  if (!other) throw refused('contended', 'The version has a value, but it is not shown yet.', token);
  return goOnWith(other);

  /** What an earlier run made may have been overtaken by hand since: nothing is announced of what will not be promoted. */
  async function goOnWith(stored: StoredVersion): Promise<void> {
    await provePending(rotation, stored);
    await requireUnchanged(rotation, stored, versionWithLabel(rotation.state, stagingLabels.current));
    record.outcome = 'found';
  }
}

async function issuedDocument(
  rotation: Rotation,
  current: CurrentDocument,
  { privateKey, certificateRequest }: CertificateOrder,
): Promise<string> {
  const { services, identity, token, deadline } = rotation;
  const issuer = await services.openIssuer(current.renewal.issuer);
  const issued = await issuer.issue({
    identity,
    certificateRequest,
    idempotencyToken: idempotencyTokenOf(token),
    currentLifetimeDays: current.lifetimeDays,
    current: current.usable,
    signal: AbortSignal.timeout(Math.max(1, Math.floor(remainingMs(deadline) - reserveMs))),
  });
  const parts = usableParts(issued, {
    identity,
    privateKey,
    certificateRequest,
    current: knownChain(current),
    now: services.now(),
  });
  const refusal = await serverRefusal({ privateKey, ...parts });
  if (refusal !== undefined) throw issuedUnusable('handshake-failed', refusal.sentence);
  const document = JSON.stringify(nextMembers(current.members, { privateKey, ...parts }));
  if (Buffer.byteLength(document) <= maxDocumentBytes) return document;
  throw issuedUnusable(
    'answer-too-large',
    `With what the issuer signed, the identity document has more than ${maxDocumentBytes} bytes.`,
  );
}

function knownChain({ certificate, members }: CurrentDocument) {
  if (certificate === undefined) return undefined;
  const { intermediateCertificates, rootCertificate } = members;
  return {
    certificate: certificate.toString(),
    intermediateCertificates: typeof intermediateCertificates === 'string' ? intermediateCertificates : '',
    rootCertificate: typeof rootCertificate === 'string' ? rootCertificate : '',
  };
}

/**
 * The issuer may have taken minutes, and putting the value puts the label too: a rotation that was given up meanwhile must not
 * take it from the next one, nor stand in its way. What is not shown may only not be shown yet, as before the step.
 */
async function mustGoOn({ services, secretArn, token }: Rotation): Promise<void> {
  const seen = await pollWithBackoff(
    () => services.versions.describe(secretArn),
    (state) => state.rotationEnabled && isUnderWay(state, token),
    services.sleep,
  );
  if (!isUnderWay(seen, token)) {
    throw refused(
      'not-pending',
      'While the issuer was asked, AWSPENDING was taken off the version of this rotation.',
      token,
    );
  }
  if (!seen.rotationEnabled) {
    throw refused('not-enabled', 'While the issuer was asked, the rotation was cancelled.', token);
  }
}

/** Another run of the same rotation may be further on. */
function isUnderWay({ stages }: SecretState, token: string): boolean {
  return (
    stages.get(token)?.some((stage) => stage === stagingLabels.pending || stage === stagingLabels.current) === true
  );
}
