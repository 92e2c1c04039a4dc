// Puts what happens to an identity's certificate on an EventBridge bus, for whoever has to tell customers.

import { clientSettings } from '../aws/client.ts';
import { CountersignError } from '../errors.ts';
import { eventSource } from '../settings.ts';
import { recordNotAnnounced } from '../telemetry/rotation-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export type DetailType = 'Certificate Pending' | 'Certificate Rejected' | 'Certificate Activated';

export interface Announcement {
  readonly detailType: DetailType;
  /** ARN of the secret. */
  readonly secretArn: string;
  /** JSON; `identity` and `version` are in it. An event may come twice: the version and the detail type tell. */
  readonly detail: { readonly identity: string; readonly version: string } & Readonly<Record<string, unknown>>;
}

/** Throws `announcement-failed`. */
export type Announce = (announcement: Announcement) => Promise<void>;

const maxAttempts = 5;
const attemptTimeoutMs = 3_000;
const callTimeoutMs = 15_000;

/** `eventBus` is a name or an ARN. Without one nothing is announced, and a line says so; the SDK is not loaded then. */
export async function openAnnouncements(eventBus: string | undefined, telemetry: Telemetry): Promise<Announce> {
  if (eventBus === undefined) {
    return async ({ detailType, detail: { identity, version } }) =>
      recordNotAnnounced(telemetry, detailType, identity, version);
  }
  const { EventBridgeClient, PutEventsCommand } = await import('@aws-sdk/client-eventbridge');
  const client = new EventBridgeClient(clientSettings(maxAttempts, attemptTimeoutMs));
  return async ({ detailType, secretArn, detail }) => {
    const entry = {
      EventBusName: eventBus,
      Source: eventSource,
      DetailType: detailType,
      Detail: JSON.stringify(detail),
      Resources: [secretArn],
    };
    const options = { abortSignal: AbortSignal.timeout(callTimeoutMs) };
    const answer = await client.send(new PutEventsCommand({ Entries: [entry] }), options).catch((thrown: unknown) => {
      throw failed(detailType, thrown instanceof Error ? thrown.name : 'Error');
    });
    // A request that was taken may hold entries that were not (AWS API reference, PutEvents).
    if (answer.FailedEntryCount === 0) return;
    throw failed(detailType, answer.Entries?.[0]?.ErrorCode ?? 'Error');
  };
}

/** `reason` is a name; the cause is left out, as it may quote the answer. */
function failed(event: DetailType, reason: string): CountersignError {
  const known = /^[A-Za-z]{1,64}$/.test(reason) ? reason : 'Error';
  return new CountersignError('announcement-failed', `EventBridge did not take the event "${event}": ${known}.`, {
    evidence: { reason: known, event },
  });
}
