// Logs rejected requests and connections, at a bounded rate: a flood of bad requests must not fill the disk.
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';

const maxLinesPerSecond = 20;

export interface RejectedRequest {
  /** Code of the error table, or the status. */
  readonly code: string;
  readonly reason?: string | undefined;
  readonly caller?: string | undefined;
  /** Only if it is a valid identity name. */
  readonly identity?: string | undefined;
  readonly sourceIp?: string | undefined;
}

/** Writes up to 20 lines a second, then one line with the number of the others. `now` in milliseconds since 1970. */
export function createRequestRejectionLog(
  telemetry: Telemetry,
  now: () => number = Date.now,
): (request: RejectedRequest) => void {
  let second = 0;
  let written = 0;
  let suppressed = 0;
  return (request) => {
    const current = Math.floor(now() / 1000);
    if (current !== second) {
      if (suppressed > 0) writeLine(telemetry, { level: 'WARN', message: 'requests refused', count: suppressed });
      second = current;
      written = 0;
      suppressed = 0;
    }
    if (written < maxLinesPerSecond) {
      written += 1;
      writeLine(telemetry, { level: 'WARN', message: 'request refused', ...request });
    } else suppressed += 1;
  };
}

/** Writes one line a second with the number of connections above the limit. */
export function createConnectionRejectionLog(telemetry: Telemetry, maxConnections: number): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count > 1) return;
    setTimeout(() => {
      writeLine(telemetry, { level: 'WARN', message: 'connections refused', count, maxConnections });
      count = 0;
    }, 1_000).unref();
  };
}
