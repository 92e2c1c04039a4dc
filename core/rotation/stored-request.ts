// The key and certificate request of a rotation. They are stored in Secrets Manager before the issuer is asked, so that
// a step that is run again asks for the same certificate.
import { createPublicKey, type KeyObject } from 'node:crypto';
import * as v from 'valibot';
import { certificateRequest, keyAlgorithmOf, newPrivateKey } from '../issuers/certificate-request.ts';
import { pollUntilFound, stagingLabels } from '../versions/versions.ts';
import { hasSameNames, readCertificateRequest } from '../x509/certificate.ts';
import { publicKeyIdentifier } from '../x509/keys.ts';
import type { CurrentDocument } from './current-document.ts';
import type { Rotation } from './rotation.ts';
import { type RotationRefusedReason, rotationRefused } from './rotation-errors.ts';

export interface StoredRequest {
  /** PEM. */
  readonly privateKey: string;
  /** PEM, PKCS#10. */
  readonly certificateRequest: string;
  /** An earlier run of this rotation stored it. */
  readonly isFromEarlierRun: boolean;
}

/** The value of the version that has COUNTERSIGN_REQUEST. */
const storedRequestSchema = v.object({
  privateKey: v.string(),
  certificateRequest: v.string(),
  /** The version that the rotation creates. */
  for: v.string(),
  /** SHA-256 fingerprint of the certificate that was current then; null if there was none. */
  replaces: v.exactOptional(v.nullable(v.string())),
});

/**
 * Reads the request of this rotation, or creates and stores it. Of two runs at the same time, the first to store it
 * wins, and both continue with its request. Throws `renewal-unusable`, and `rotation-refused` if the stored value is
 * not what this rotation would store: otherwise who may write versions could get another key or name signed for this
 * identity.
 */
export async function getOrCreateRequest(rotation: Rotation, current: CurrentDocument): Promise<StoredRequest> {
  const { services, secretArn, token, requestVersion, rotationToken, state } = rotation;
  const read = () => services.versions.read(secretArn, { version: requestVersion });
  const found = state.stages.has(requestVersion) ? await pollUntilFound(read, services.sleep) : await read();
  if (found) return checkStoredRequest(rotation, found.document, current);

  const created = await createRequest(rotation.identity, current);
  const document = JSON.stringify({ ...created, for: token, replaces: fingerprintOf(current) });
  const version = { version: requestVersion, document, stages: [stagingLabels.request], rotationToken };
  if ((await services.versions.put(secretArn, version)) === 'stored') return { ...created, isFromEarlierRun: false };
  const other = await pollUntilFound(read, services.sleep);
  if (other) return checkStoredRequest(rotation, other.document, current);
  throw rotationRefused('contended', 'The certificate request is stored, but cannot be read yet.', token);
}

/**
 * SHA-256 fingerprint of the certificate that the request replaces; null if there was none; undefined if no request is
 * stored: the version was put in by hand.
 */
export async function replacedCertificate(rotation: Rotation): Promise<string | null | undefined> {
  const { services, secretArn, token, requestVersion } = rotation;
  const found = await services.versions.read(secretArn, { version: requestVersion });
  return found && parseStoredRequest(found.document, token)?.replaces;
}

async function createRequest(identity: string, current: CurrentDocument) {
  const { renewal, privateKey: currentKey } = current;
  const algorithm = renewal.keyAlgorithm ?? keyAlgorithmOf(currentKey ?? '') ?? 'EC_P256';
  const privateKey = renewal.reuseKey && currentKey ? currentKey : await newPrivateKey(algorithm);
  return { privateKey, certificateRequest: requestFor(privateKey, identity, current) };
}

function requestFor(privateKey: string, identity: string, { renewal, certificate }: CurrentDocument): string {
  const like = certificate?.toString();
  return certificateRequest({
    privateKey,
    subject: renewal.subject ?? (like === undefined ? `CN=${identity}` : undefined),
    names: renewal.names,
    like,
  });
}

function fingerprintOf({ certificate }: CurrentDocument): string | null {
  return certificate?.fingerprint256 ?? null;
}

function parseStoredRequest(document: string, token: string): v.InferOutput<typeof storedRequestSchema> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch {
    return undefined;
  }
  const result = v.safeParse(storedRequestSchema, value);
  return result.success && result.output.for === token ? result.output : undefined;
}

/** The value of a version cannot be changed, so an outdated request ends the rotation. */
function checkStoredRequest(rotation: Rotation, document: string, current: CurrentDocument): StoredRequest {
  const { token } = rotation;
  const refuse = (reason: RotationRefusedReason, sentence: string) =>
    rotationRefused(reason, sentence, token, newRequestHint);
  const stored = parseStoredRequest(document, token);
  const request = stored && readCertificateRequest(stored.certificateRequest);
  if (!stored || !request?.isSigned || !isKeyOf(stored.privateKey, request.publicKey)) {
    throw refuse(
      'request-malformed',
      `The value at ${stagingLabels.request} is not a certificate request of this rotation.`,
    );
  }
  if ((stored.replaces ?? null) !== fingerprintOf(current)) {
    throw refuse(
      'certificate-replaced',
      'The current certificate was replaced after the certificate request was created.',
    );
  }
  const expected = readCertificateRequest(requestFor(stored.privateKey, rotation.identity, current));
  // A request from before `reuseKey` was removed has the key that must be replaced: it may be stolen.
  const isOtherKey =
    current.privateKey !== undefined &&
    isKeyOf(current.privateKey, request.publicKey) !== (current.renewal.reuseKey === true);
  if (!expected || !hasSameNames(request, expected) || isOtherKey) {
    throw refuse('request-outdated', 'The stored certificate request no longer matches the renewal of the identity.');
  }
  return { ...stored, isFromEarlierRun: true };
}

function isKeyOf(privateKey: string, publicKey: KeyObject): boolean {
  try {
    return publicKeyIdentifier(createPublicKey(privateKey)) === publicKeyIdentifier(publicKey);
  } catch {
    return false;
  }
}

const newRequestHint =
  'The platform must cancel the rotation and start another one, which creates a new request; docs/rotation.md, "Cancel a rotation", has the commands.';
