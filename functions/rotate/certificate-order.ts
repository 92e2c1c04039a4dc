// Keeps the next key and its certificate request in Secrets Manager before the issuer is asked: who is killed asks again for the same.
import * as v from 'valibot';
import { certificateRequest, keyAlgorithmOf, newPrivateKey } from '../issuer/certificate-request.ts';
import { labels } from '../versions/labels.ts';
import type { CurrentDocument } from './current-document.ts';
import { untilThere } from './patience.ts';
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
 * with that. Throws `renewal-unusable`, and `rotation-refused` for a value that no rotation put there.
 */
export async function keptOrder(rotation: Rotation, current: CurrentDocument): Promise<CertificateOrder> {
  const { services, secretArn, token, requestVersion, rotationToken, state } = rotation;
  const read = () => services.versions.read(secretArn, { version: requestVersion });
  const kept = state.stages.has(requestVersion) ? await untilThere(read, services.sleep) : await read();
  if (kept) return parseOrder(kept.document, token);

  const order = await newOrder(rotation.identity, current);
  const replaces = current.certificate?.fingerprint256 ?? null;
  const document = JSON.stringify({ ...order, for: token, replaces });
  const version = { version: requestVersion, document, stages: [labels.request], rotationToken };
  if ((await services.versions.put(secretArn, version)) === 'stored') return { ...order, wasKept: false };
  const other = await untilThere(read, services.sleep);
  if (other) return parseOrder(other.document, token);
  throw refused('contended', 'The certificate request of this rotation was kept, but is not shown yet.', token);
}

/** SHA-256 fingerprint; null when there was none, undefined when nothing is kept of it: a version that was put in by hand. */
export async function replacedCertificateOf(rotation: Rotation): Promise<string | null | undefined> {
  const { services, secretArn, token, requestVersion } = rotation;
  const kept = await services.versions.read(secretArn, { version: requestVersion });
  return kept && parsed(kept.document, token)?.replaces;
}

async function newOrder(identity: string, current: CurrentDocument) {
  const { renewal, certificate, privateKey: currentKey } = current;
  const algorithm = renewal.keyAlgorithm ?? keyAlgorithmOf(currentKey ?? '') ?? 'EC_P256';
  const privateKey = renewal.reuseKey && currentKey ? currentKey : await newPrivateKey(algorithm);
  const like = certificate?.toString();
  const request = certificateRequest({
    privateKey,
    subject: renewal.subject ?? (like === undefined ? `CN=${identity}` : undefined),
    names: renewal.names,
    like,
  });
  return { privateKey, certificateRequest: request };
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

function parseOrder(document: string, token: string): CertificateOrder {
  const order = parsed(document, token);
  if (order) return { ...order, wasKept: true };
  throw refused(
    'request-malformed',
    `What is kept for this rotation at ${labels.request} is no certificate request of it.`,
    token,
    'The platform must cancel the rotation with CancelRotateSecret and start another one.',
  );
}
