// Publishes what a customer must trust: the public certificates of an identity, whatever state the identity is in.
import type { X509Certificate } from 'node:crypto';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { identityName, invalidRequest } from '../../functions/api-gateway/event.ts';
import { asCountersignError, CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import { hasCertificates, parseCertificateKeys } from '../identity/document.ts';
import type { IdentitySource, Stage, StoredIdentity } from '../identity/identity.ts';
import { recordCertificateFailure } from '../telemetry/events.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { pinOf } from '../tls/server-certificate.ts';
import { readCertificate, readCertificates } from '../x509/chain.ts';

const stages: Readonly<Record<string, Stage>> = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
};

const pemType = 'application/x-pem-file';

interface PublishedCertificate {
  readonly pem: string;
  /** `O=Acme, CN=bot-platform`: the attributes in the order of the certificate. */
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** ISO 8601. */
  readonly validFrom: string;
  readonly validTo: string;
  /** SHA-256 of the DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** `sha256/` and base64, for customers that pin the key: the same as in the events of a rotation. */
  readonly pin: string;
}

/**
 * Reads the identity at the stage that the query names (`current` when it names none) and answers with JSON, or with the
 * PEM chain for `Accept: application/x-pem-file`. Throws `invalid-request`, and what the source and the parser throw.
 * Not cached: what is asked for here is what the store holds now. A failure leaves a line.
 */
export async function publishCertificate(
  { telemetry, source }: { readonly telemetry: Telemetry; readonly source: IdentitySource },
  event: APIGatewayProxyEventV2,
  now: number,
): Promise<APIGatewayProxyStructuredResultV2> {
  let name: string | undefined;
  try {
    name = identityName(event);
    return await publish(source, name, event, now);
  } catch (thrown) {
    recordCertificateFailure(telemetry, name, asCountersignError(thrown), event.requestContext.requestId);
    throw thrown;
  }
}

async function publish(
  source: IdentitySource,
  name: string,
  event: APIGatewayProxyEventV2,
  now: number,
): Promise<APIGatewayProxyStructuredResultV2> {
  const stage = stageOf(event.queryStringParameters?.stage);
  const stored = await source.read(name, stage);
  // AWSCURRENT is what calls are made with: there the same document is an identity that cannot be used.
  if (stage !== 'AWSCURRENT' && !hasCertificates(stored.document)) throw noCertificate(name, stage);

  const keys = parseCertificateKeys(stored.document);
  const leaf = readCertificate(keys.certificate, 'certificate').certificate;
  const intermediates = readCertificates(keys.intermediateCertificates, 'intermediateCertificates', true).map(
    ({ certificate }) => certificate,
  );
  const root = readCertificate(keys.rootCertificate, 'rootCertificate').certificate;

  if (prefersPem(String(event.headers?.accept ?? ''))) {
    return answer(pemType, [leaf, ...intermediates, root].join(''));
  }
  const published = {
    identity: name,
    stage,
    version: stored.version,
    ...usability(name, stored, now),
    certificate: describe(leaf),
    intermediateCertificates: intermediates.map(describe),
    rootCertificate: describe(root),
  };
  return answer('application/json', JSON.stringify(published));
}

function noCertificate(name: string, stage: Stage): CountersignError {
  return new CountersignError('identity-not-found', `Identity "${name}" has no certificate at stage ${stage} yet.`, {
    evidence: { reason: 'no-version', stage },
  });
}

function stageOf(value: string | undefined): Stage {
  const stage = Object.hasOwn(stages, value ?? 'current') ? stages[value ?? 'current'] : undefined;
  if (stage !== undefined) return stage;
  throw invalidRequest('stage', 'The query parameter stage must be current, pending or previous.');
}

/** A security team must see an expired certificate too: it is published with what keeps it from being presented. */
function usability(name: string, stored: StoredIdentity, now: number): object {
  try {
    checkIdentity(name, stored, now);
    return { usable: true };
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return { usable: false, problem: { reason: thrown.evidence?.reason, detail: thrown.message } };
  }
}

function describe(certificate: X509Certificate): PublishedCertificate {
  return {
    pem: certificate.toString(),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serialNumber: certificate.serialNumber,
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    fingerprint256: certificate.fingerprint256,
    pin: pinOf(certificate),
  };
}

/** Node writes one attribute a line, and escapes a line feed inside of one. */
function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ');
}

/** True when PEM is named with a weight and JSON is not named with a greater one (RFC 9110, section 12.5.1). */
function prefersPem(accept: string): boolean {
  const weights = new Map<string, number>();
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(type, weight === undefined ? 1 : Number(weight.slice(2)) || 0);
  }
  const pem = weights.get(pemType) ?? 0;
  return pem > 0 && pem >= (weights.get('application/json') ?? 0);
}

function answer(contentType: string, body: string): APIGatewayProxyStructuredResultV2 {
  return { statusCode: 200, headers: { 'content-type': contentType, vary: 'accept' }, body };
}
