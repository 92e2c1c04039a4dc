// What happens beside an invocation and must not go unseen: an identity that cannot be read again, a defect of our own.
import type { CountersignError } from '../errors.ts';
import { embeddedMetrics } from './embedded-metrics.ts';
import { failureFields } from './failure-fields.ts';
import { type Telemetry, writeLine } from './telemetry.ts';

/** The identity in use is kept; the metric is what an alarm hangs on. `version` is the one that is unusable, where one was read. */
export function recordRefreshFailure(
  telemetry: Telemetry,
  identity: string,
  error: CountersignError,
  now: number = Date.now(),
): void {
  const fields = { level: 'WARN', message: 'identity refresh failed', identity, ...failureFields(error) };
  const { meter } = telemetry;
  if (meter) {
    meter.refreshFailed(identity);
    writeLine(telemetry, fields);
    return;
  }
  writeLine(telemetry, { ...fields, ...embeddedMetrics(now, { values: { IdentityRefreshFailures: 1 } }) });
}

/** The certificates of an identity could not be given. `identity` is undefined when the path has no name that one can have. */
export function recordCertificateFailure(
  telemetry: Telemetry,
  identity: string | undefined,
  error: CountersignError,
  requestId: string,
): void {
  writeLine(telemetry, { level: 'WARN', message: 'certificate', requestId, identity, ...failureFields(error) });
}

/** A new version was taken up. */
export function recordIdentityTaken(telemetry: Telemetry, identity: string, version: string): void {
  writeLine(telemetry, { level: 'INFO', message: 'identity taken up', identity, version });
}

/**
 * A defect: the class and the place of the cause, never its message, which may quote what it choked on. The stack's
 * lines name files and functions alone.
 */
export function recordInternalError(telemetry: Telemetry, error: CountersignError, requestId: string): void {
  const cause = error.cause instanceof Error ? error.cause : undefined;
  writeLine(telemetry, {
    level: 'ERROR',
    message: 'internal error',
    requestId,
    cause: cause?.name ?? typeof error.cause,
    causeCode: (cause as NodeJS.ErrnoException | undefined)?.code,
    at: cause?.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 8)
      .map((line) => line.trim()),
  });
}
