// Log lines of events outside a call: an identity that cannot be read again, an internal error.
import type { CountersignError } from '../errors.ts';
import { embeddedMetrics, failureFields, type Telemetry, writeLine } from './telemetry.ts';

/** The identity in use is kept; an alarm watches the metric. */
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

/** The certificates of an identity could not be returned. `identity` is undefined if the path has no valid name. */
export function recordCertificateFailure(
  telemetry: Telemetry,
  identity: string | undefined,
  error: CountersignError,
  requestId: string,
): void {
  writeLine(telemetry, { level: 'WARN', message: 'certificate', requestId, identity, ...failureFields(error) });
}

/** A new version is in use. */
export function recordIdentityTaken(telemetry: Telemetry, identity: string, version: string): void {
  writeLine(telemetry, { level: 'INFO', message: 'identity taken up', identity, version });
}

/**
 * The class and the stack of the cause, never its message, which may quote input. The lines of a stack contain only
 * files and functions.
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
