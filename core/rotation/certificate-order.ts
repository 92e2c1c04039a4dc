// Keeps the next key and its certificate request in Secrets Manager before the issuer is asked: who is killed asks again for the same.
import { createPublicKey, type KeyObject } from 'node:crypto';
import * as v from 'valibot';
import { certificateRequest, keyAlgorithmOf, newPrivateKey } from '../issuers/certificate-request.ts';
import { pollUntilFound, stagingLabels } from '../versions/versions.ts';
import { hasSameNames } from '../x509/certificate-names.ts';
import { readCertificateRequest } from '../x509/certificate-request-reader.ts';
import type { CurrentDocument } from './current-document.ts';
import { refused } from './refused.ts';
import type { Rotation } from './rotation.ts';

export interface CertificateOrder {
  /** PEM. */
  readonly privateKey: string;
  /** PEM, PKCS#10. */
  readonly certificateRequest: string;
  /** Whether an earlier run of this rotation made it. */
  readonly wasKept: boolean;
}

/**
 * The value of the version at COUNTERSIGN_REQUEST; `for` is the version that it will become, `replaces` the fingerprint of the
 * certificate that was current then, null when there was none.
 */
const orderSchema = v.object({
  privateKey: v.string(),
  certificateRequest: v.string(),
  for: v.string(),
  replaces: v.exactOptional(v.nullable(v.string())),
});

/**
 * Get or put: the order of this rotation, made once. Of two runs at the same time the first to put it wins, and both go on
 * with that. Throws `renewal-unusable`, and `rotation-refused` for a value that is not what this rotation would put there: whoever
 * may write versions could have another key, or another name, signed in the name of this identity.
 */
export async function keptOrder(rotation: Rotation, current: CurrentDocument): Promise<CertificateOrder> {
  const { services, secretArn, token, requestVersion, rotationToken, state } = rotation;
  const read = () => services.versions.read(secretArn, { version: requestVersion });
  const kept = state.stages.has(requestVersion) ? await pollUntilFound(read, services.sleep) : await read();
  if (kept) return checkedOrder(rotation, kept.document, current);

  const order = await newOrder(rotation.identity, current);
  const document = JSON.stringify({ ...order, for: token, replaces: replacedBy(current) });
  const version = { version: requestVersion, document, stages: [stagingLabels.request], rotationToken };
  if ((await services.versions.put(secretArn, version)) === 'stored') return { ...order, wasKept: false };
  const other = await pollUntilFound(read, services.sleep);
  if (other) return checkedOrder(rotation, other.document, current);
  throw refused('contended', 'The certificate request of this rotation was kept, but is not shown yet.', token);
}

/** SHA-256 fingerprint; null when there was none, undefined when nothing is kept of it: a version that was put in by hand. */
export async function replacedCertificateOf(rotation: Rotation): Promise<string | null | undefined> {
  const { services, secretArn, token, requestVersion } = rotation;
  const kept = await services.versions.read(secretArn, { version: requestVersion });
  return kept && parsed(kept.document, token)?.replaces;
}

async function newOrder(identity: string, current: CurrentDocument) {
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

function replacedBy({ certificate }: CurrentDocument): string | null {
  return certificate?.fingerprint256 ?? null;
}

function parsed(document: string, token: string): v.InferOutput<typeof orderSchema> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch {
    return undefined;
  }
  const result = v.safeParse(orderSchema, value);
  return result.success && result.output.for === token ? result.output : undefined;
}

/** A value of a version stays: a request that is not the one of today cannot be made anew under the same token. */
function checkedOrder(rotation: Rotation, document: string, current: CurrentDocument): CertificateOrder {
  const { token } = rotation;
  const order = parsed(document, token);
  const asked = order && readCertificateRequest(order.certificateRequest);
  if (!order || !asked?.isSigned || !isKeyOf(order.privateKey, asked.publicKey)) {
    const sentence = `What is kept for this rotation at ${stagingLabels.request} is no certificate request of it.`;
    throw refused('request-malformed', sentence, token, beginAnotherHint);
  }
  if ((order.replaces ?? null) !== replacedBy(current)) {
    const sentence = 'Another certificate became the current one since the certificate request was made.';
    throw refused('certificate-replaced', sentence, token, beginAnotherHint);
  }
  const today = readCertificateRequest(requestFor(order.privateKey, rotation.identity, current));
  // A kept request of the time before `reuseKey` was taken out has the key that is to go: it may have been stolen.
  const isOtherKey =
    current.privateKey !== undefined &&
    isKeyOf(current.privateKey, asked.publicKey) !== (current.renewal.reuseKey === true);
  if (!today || !hasSameNames(asked, today) || isOtherKey) {
    const sentence = 'The certificate request that is kept asks for something else than the renewal does today.';
    throw refused('request-outdated', sentence, token, beginAnotherHint);
  }
  return { ...order, wasKept: true };
}

function isKeyOf(privateKey: string, publicKey: KeyObject): boolean {
  try {
    return createPublicKey(privateKey).equals(publicKey);
  } catch {
    return false;
  }
}

const beginAnotherHint =
  'The platform must give the rotation up and begin another one, which makes another request; docs/rotation.md, "When a step fails", has the commands.';
