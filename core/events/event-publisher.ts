// Certificate events of an identity, and the publisher that puts them on an EventBridge bus.

import { X509Certificate } from 'node:crypto';
import { clientSettings } from '../aws/client.ts';
import { reportServerCertificate } from '../diagnosis/certificate-report.ts';
import type { CertificateReport } from '../diagnosis/diagnosis.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { eventSource } from '../settings.ts';
import { recordNotAnnounced } from '../telemetry/rotation-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { pinOf } from '../x509/certificate.ts';

export type DetailType = 'Certificate Pending' | 'Certificate Rejected' | 'Certificate Activated';

interface CertificateEvent {
  readonly detailType: DetailType;
  /** ARN of the secret. */
  readonly secretArn: string;
  /** JSON. An event may be published twice: `version` and the detail type identify it. */
  readonly detail: { readonly identity: string; readonly version: string } & Readonly<Record<string, unknown>>;
}

export interface EventPublisher {
  /** Throws `announcement-failed`. */
  publish(event: CertificateEvent): Promise<void>;
}

const maxAttempts = 5;
const attemptTimeoutMs = 3_000;
const callTimeoutMs = 15_000;

/** `eventBus` is a name or an ARN. Without a bus, each event is only logged, and the SDK is not loaded. */
export async function openEventPublisher(eventBus: string | undefined, telemetry: Telemetry): Promise<EventPublisher> {
  if (eventBus === undefined) {
    return {
      publish: async ({ detailType, detail: { identity, version } }) =>
        recordNotAnnounced(telemetry, detailType, identity, version),
    };
  }
  const { EventBridgeClient, PutEventsCommand } = await import('@aws-sdk/client-eventbridge');
  const client = new EventBridgeClient(clientSettings(maxAttempts, attemptTimeoutMs));
  return {
    async publish({ detailType, secretArn, detail }) {
      const entry = {
        EventBusName: eventBus,
        Source: eventSource,
        DetailType: detailType,
        Detail: JSON.stringify(detail),
        Resources: [secretArn],
      };
      const options = { abortSignal: AbortSignal.timeout(callTimeoutMs) };
      const response = await client
        .send(new PutEventsCommand({ Entries: [entry] }), options)
        .catch((thrown: unknown) => {
          throw publishFailed(detailType, thrown instanceof Error ? thrown.name : 'Error');
        });
      // A successful response can contain failed entries (EventBridge API reference, PutEvents).
      if (response.FailedEntryCount === 0) return;
      throw publishFailed(detailType, response.Entries?.[0]?.ErrorCode ?? 'Error');
    },
  };
}

/** `reason` is the name of an error. The error itself is no cause: it may quote the response. */
function publishFailed(event: DetailType, reason: string): CountersignError {
  const known = /^[A-Za-z]{1,64}$/.test(reason) ? reason : 'Error';
  return new CountersignError('announcement-failed', `EventBridge did not accept the event "${event}": ${known}.`, {
    evidence: { reason: known, event },
  });
}

interface CertificateDetail extends CertificateReport {
  /** Upper-case hex. */
  readonly serialNumber: string;
}

export interface IdentityDetail {
  readonly identity: string;
  readonly version: string;
  readonly certificate: CertificateDetail;
  /** PEM, as GET …/certificate publishes it: the certificate, its intermediates in issuer order, the root. */
  readonly chain: string;
}

export function identityDetail(identity: Identity): IdentityDetail {
  const { name, version, certificate, intermediateCertificates, rootCertificate } = identity;
  const leaf = new X509Certificate(certificate);
  return {
    identity: name,
    version,
    certificate: { ...reportServerCertificate(leaf, 0), serialNumber: leaf.serialNumber },
    chain: certificate + intermediateCertificates + rootCertificate,
  };
}

/** Of the other certificate of an event; undefined if it cannot be read. */
export function briefDetail(certificate: X509Certificate | undefined): object | undefined {
  if (certificate === undefined) return undefined;
  return {
    fingerprint256: certificate.fingerprint256,
    pin: pinOf(certificate),
    validTo: certificate.validToDate.toISOString(),
  };
}
