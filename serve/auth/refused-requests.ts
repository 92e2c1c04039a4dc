// The lines that refused requests leave: a few each second, and how many there were besides.
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';

const maxLinesEachSecond = 20;

export interface Refusal {
  /** Code of the error table, or the status. */
  readonly code: string;
  readonly reason?: string | undefined;
  readonly caller?: string | undefined;
  /** A name that an identity can have. */
  readonly identity?: string | undefined;
  readonly sourceIp?: string | undefined;
}

/** Whoever floods the server with bad tokens must not fill the disk as well. `now` in milliseconds since 1970. */
export function createRefusalLines(telemetry: Telemetry, now: () => number = Date.now): (refusal: Refusal) => void {
  let second = 0;
  let written = 0;
  let unwritten = 0;
  return (refusal) => {
    const current = Math.floor(now() / 1000);
    if (current !== second) {
      if (unwritten > 0) writeLine(telemetry, { level: 'WARN', message: 'requests refused', count: unwritten });
      second = current;
      written = 0;
      unwritten = 0;
    }
    if (written < maxLinesEachSecond) {
      written += 1;
      writeLine(telemetry, { level: 'WARN', message: 'request refused', ...refusal });
    } else unwritten += 1;
  };
}
