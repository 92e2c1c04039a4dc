// The lines that connections beyond the limit leave: how many there were, once a second.
import { writeLine } from '../../core/telemetry/line.ts';

const eachMs = 1_000;

/** `most` is the limit, for the line. */
export function createRefusedConnections(most: number): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count > 1) return;
    setTimeout(() => {
      writeLine({ level: 'WARN', message: 'connections refused', count, maxConnections: most });
      count = 0;
    }, eachMs).unref();
  };
}
