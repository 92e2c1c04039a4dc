// The log of the hourly inspection of all identities: two lines for each identity, one for all, with CloudWatch's
// metrics in them.

import type { FailureFields } from './telemetry.ts';
import { embeddedMetrics, type Telemetry, writeLine } from './telemetry.ts';

/** Names, labels and dates alone. Of what is broken or unread, the fields that say why. */
export interface ExpiryRecord extends Partial<FailureFields> {
  identity: string;
  /**
   * `usable`, `broken` (the document cannot be used), `empty` (no certificate yet) or `unread` (the store did not give
   * it).
   */
  state: 'usable' | 'broken' | 'empty' | 'unread';
  /** Staging labels on its versions. */
  stages: readonly string[];
  /** Days that the leaf has left, to a tenth; negative once it is over. */
  leafDays: number | undefined;
  /** The same of the intermediate or root that expires first. */
  issuerDays: number | undefined;
  /** ISO 8601, of the leaf. */
  validTo: string | undefined;
  /** ISO 8601. */
  issuerValidTo: string | undefined;
  /** An issuer is a public web authority, which ends client authentication by March 2027. */
  clientAuthenticationEnding: boolean;
  rotationEnabled: boolean;
  /** ISO 8601. */
  nextRotation: string | undefined;
  /** Why the rotation is overdue. */
  overdue: readonly string[];
}

/**
 * Embedded metric format: DaysToExpiry by identity and certificate, which is `leaf` in the first line and `issuer` in
 * the second.
 */
export function recordExpiry(telemetry: Telemetry, record: ExpiryRecord, now: number): void {
  const { leafDays, issuerDays, issuerValidTo } = record;
  const isWell = record.state === 'usable' || record.state === 'empty';
  const isCalm = isWell && record.overdue.length === 0 && !record.clientAuthenticationEnding;
  writeLine(telemetry, {
    level: isCalm ? 'INFO' : 'WARN',
    message: 'identity inspected',
    ...record,
    ...(leafDays === undefined ? {} : daysMetric('leaf', leafDays, now)),
  });
  if (issuerDays === undefined) return;
  writeLine(telemetry, {
    level: 'INFO',
    message: 'issuer inspected',
    identity: record.identity,
    issuerValidTo,
    ...daysMetric('issuer', issuerDays, now),
  });
}

function daysMetric(certificate: 'leaf' | 'issuer', DaysToExpiry: number, now: number): object {
  return {
    certificate,
    ...embeddedMetrics(now, {
      values: { DaysToExpiry },
      units: { DaysToExpiry: 'None' },
      dimensions: [['identity', 'certificate']],
    }),
  };
}

/**
 * Embedded metric format without dimensions; DaysToExpiry, the least over all certificates of all identities, where
 * there is one.
 */
export function recordInspection(telemetry: Telemetry, records: readonly ExpiryRecord[], now: number): void {
  const days = records.flatMap(({ leafDays, issuerDays }) => [leafDays ?? [], issuerDays ?? []].flat());
  const count = (counts: (record: ExpiryRecord) => boolean) => records.filter(counts).length;
  const least = days.length === 0 ? undefined : days.reduce((one, other) => Math.min(one, other));
  writeLine(telemetry, {
    level: 'INFO',
    message: 'identities inspected',
    ...embeddedMetrics(now, {
      values: {
        IdentitiesInspected: records.length,
        BrokenIdentities: count(({ state }) => state === 'broken'),
        EmptyIdentities: count(({ state }) => state === 'empty'),
        UnreadIdentities: count(({ state }) => state === 'unread'),
        ClientAuthenticationEnding: count(({ clientAuthenticationEnding }) => clientAuthenticationEnding),
        RotationsOverdue: count(({ overdue }) => overdue.length > 0),
        PendingVersions: count(({ stages }) => stages.includes('AWSPENDING')),
        PreviousVersions: count(({ stages }) => stages.includes('AWSPREVIOUS')),
        ...(least === undefined ? {} : { DaysToExpiry: least }),
      },
      units: { DaysToExpiry: 'None' },
    }),
  });
}
