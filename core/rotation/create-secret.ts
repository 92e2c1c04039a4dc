// createSecret: has the next certificate issued, once however often the step runs, and stores it as the pending
// version.
import { maxDocumentBytes } from '../identity/document.ts';
import { usableParts } from '../issuers/check-issued.ts';
import { issuedUnusable } from '../issuers/issuer-response.ts';
import { remainingMs } from '../tls/attempt.ts';
import { serverRefusal } from '../tls/identity-proof.ts';
import {
  idempotencyTokenOf,
  pollWithBackoff,
  type SecretState,
  type StoredVersion,
  stagingLabels,
  versionWithLabel,
} from '../versions/versions.ts';
import { type CurrentDocument, currentDocument, withKeyAndChain } from './current-document.ts';
import { requireUnchanged } from './require-unchanged.ts';
import { checkPending, type Rotation, readCurrent, readPending } from './rotation.ts';
import { rotationRefused } from './rotation-errors.ts';
import { getOrCreateRequest, type StoredRequest } from './stored-request.ts';

/** Of the time of the step, kept for storing the issued certificate. */
const reserveMs = 10_000;

/**
 * Throws what `usableParts`, the issuer and the parser of the current document throw. Then nothing has changed except
 * for the stored request, and the next run continues with that.
 */
export async function createSecret(rotation: Rotation): Promise<void> {
  const { services, secretArn, token, record } = rotation;
  const found = await services.versions.read(secretArn, { version: token });
  if (found) return continueWith(found);

  const current = currentDocument(rotation, await readCurrent(rotation));
  const request = await getOrCreateRequest(rotation, current);
  // An earlier run may have stored its certificate, which cannot be read yet: it must not be issued again.
  const late = request.isFromEarlierRun ? await readPending(rotation) : undefined;
  if (late) return continueWith(late);

  const document = await issueDocument(rotation, current, request);
  await requireStillInProgress(rotation);
  const version = { version: token, document, stages: [stagingLabels.pending], rotationToken: rotation.rotationToken };
  if ((await services.versions.put(secretArn, version)) === 'stored') {
    record.outcome = 'issued';
    return;
  }
  const other = await readPending(rotation);
  if (!other) throw rotationRefused('contended', 'The version has a value, but it cannot be read yet.', token);
  return continueWith(other);

  /** The current version may have been changed by hand since: nothing is published that finishSecret would refuse. */
  async function continueWith(stored: StoredVersion): Promise<void> {
    await checkPending(rotation, stored);
    await requireUnchanged(rotation, stored, versionWithLabel(rotation.state, stagingLabels.current));
    record.outcome = 'found';
  }
}

async function issueDocument(
  rotation: Rotation,
  current: CurrentDocument,
  { privateKey, certificateRequest }: StoredRequest,
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
    current: chainOf(current),
    now: services.now(),
  });
  const refusal = await serverRefusal({ privateKey, ...parts });
  if (refusal !== undefined) throw issuedUnusable('handshake-failed', refusal.sentence);
  const document = JSON.stringify(withKeyAndChain(current.members, { privateKey, ...parts }));
  if (Buffer.byteLength(document) <= maxDocumentBytes) return document;
  throw issuedUnusable(
    'answer-too-large',
    `With the issued certificates, the identity document has more than ${maxDocumentBytes} bytes.`,
  );
}

function chainOf({ certificate, members }: CurrentDocument) {
  if (certificate === undefined) return undefined;
  const { intermediateCertificates, rootCertificate } = members;
  return {
    certificate: certificate.toString(),
    intermediateCertificates: typeof intermediateCertificates === 'string' ? intermediateCertificates : '',
    rootCertificate: typeof rootCertificate === 'string' ? rootCertificate : '',
  };
}

/**
 * The issuer may have taken minutes, and storing the value moves AWSPENDING to it: a rotation that was cancelled
 * meanwhile must not take the label from the next one.
 */
async function requireStillInProgress({ services, secretArn, token }: Rotation): Promise<void> {
  const state = await pollWithBackoff(
    () => services.versions.describe(secretArn),
    (seen) => seen.rotationEnabled && isPendingOrCurrent(seen, token),
    services.sleep,
  );
  if (!isPendingOrCurrent(state, token)) {
    const sentence = 'AWSPENDING was removed from the version of this rotation while the issuer signed.';
    throw rotationRefused('not-pending', sentence, token);
  }
  if (!state.rotationEnabled) {
    throw rotationRefused('not-enabled', 'The rotation was cancelled while the issuer signed.', token);
  }
}

/** Current: another run of the same rotation may be ahead. */
function isPendingOrCurrent({ stages }: SecretState, token: string): boolean {
  return (
    stages.get(token)?.some((stage) => stage === stagingLabels.pending || stage === stagingLabels.current) === true
  );
}
