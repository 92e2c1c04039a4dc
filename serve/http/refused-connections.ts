// The lines that connections beyond the limit leave: how many there were, once a second.
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';

const eachMs = 1_000;

/** `most` is the limit, for the line. */
export function createRefusedConnections(telemetry: Telemetry, most: number): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count > 1) return;
    setTimeout(() => {
      writeLine(telemetry, { level: 'WARN', message: 'connections refused', count, maxConnections: most });
      count = 0;
    }, eachMs).unref();
  };
}
