// Publishes what a customer must trust: the public certificates of an identity, whatever state the identity is in.
import type { X509Certificate } from 'node:crypto';
import type { ApiResponse, ApiRoute } from '../api.ts';
import { asCountersignError, CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import { hasCertificates, parseCertificateKeys } from '../identity/document.ts';
import {
  type IdentitySource,
  isIdentityName,
  requireIdentityName,
  type Stage,
  type StoredIdentity,
} from '../identity/identity.ts';
import { orUnusable } from '../identity/unusable.ts';
import { invalidRequest } from '../json-request.ts';
import { recordCertificateFailure } from '../telemetry/events.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { pinOf } from '../x509/certificate.ts';
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

interface PublishedIdentity {
  readonly identity: string;
  readonly stage: Stage;
  readonly version: string;
  /** Whether Countersign can present the certificate; `problem` says why not. */
  readonly usable: boolean;
  readonly problem?: { readonly reason: unknown; readonly detail: string };
  readonly certificate: PublishedCertificate;
  readonly intermediateCertificates: readonly PublishedCertificate[];
  readonly rootCertificate: PublishedCertificate;
}

/**
 * Reads the public certificates of an identity at a stage. Not cached: the result is what the store holds now. Throws
 * what the source and the parser throw.
 * @param now milliseconds since 1970
 */
async function publishIdentity(
  source: IdentitySource,
  name: string,
  stage: Stage,
  now: number,
): Promise<PublishedIdentity> {
  const stored = await source.read(name, stage);
  // Calls are made with AWSCURRENT: there a document without certificates is an unusable identity.
  if (stage !== 'AWSCURRENT' && !hasCertificates(stored.document)) throw noCertificate(name, stage);

  const keys = parseCertificateKeys(stored.document);
  const [leaf, intermediates, root] = orUnusable(
    () =>
      [
        readCertificate(keys.certificate, 'certificate').certificate,
        readCertificates(keys.intermediateCertificates, 'intermediateCertificates', true).map((one) => one.certificate),
        readCertificate(keys.rootCertificate, 'rootCertificate').certificate,
      ] as const,
  );
  return {
    identity: name,
    stage,
    version: stored.version,
    ...usability(name, stored, now),
    certificate: describe(leaf),
    intermediateCertificates: intermediates.map(describe),
    rootCertificate: describe(root),
  };
}

/**
 * `GET /v1/identities/{identity}/certificate`: JSON, or the PEM chain for `Accept: application/x-pem-file`. The query
 * parameter `stage` is `current` (default), `pending` or `previous`. A failure leaves a log line.
 */
export function certificateRoute(
  { telemetry, source }: { readonly telemetry: Telemetry; readonly source: IdentitySource },
  now: () => number = Date.now,
): ApiRoute {
  return async ({ requestId, identity, stage, accept = '' }) => {
    try {
      const name = requireIdentityName(identity);
      const published = await publishIdentity(source, name, stageOf(stage), now());
      if (!prefersPem(accept)) return response('application/json', JSON.stringify(published));
      const chain = [published.certificate, ...published.intermediateCertificates, published.rootCertificate];
      return response(pemType, chain.map(({ pem }) => pem).join(''));
    } catch (thrown) {
      const name = isIdentityName(identity) ? identity : undefined;
      recordCertificateFailure(telemetry, name, asCountersignError(thrown), requestId);
      throw thrown;
    }
  };
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
function usability(name: string, stored: StoredIdentity, now: number): Pick<PublishedIdentity, 'usable' | 'problem'> {
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

function response(contentType: string, body: string): ApiResponse {
  return { status: 200, headers: { 'content-type': contentType, vary: 'accept' }, body };
}
