// Where the functions' lines go: one JSON object a line, on standard output, which Lambda hands to CloudWatch.

type Sink = (line: string) => void;

let sink: Sink = (line) => {
  process.stdout.write(line);
};

/** Sends the lines elsewhere: to a file beside the local cloud, to an array in a test. */
export function sendLinesTo(other: Sink): void {
  sink = other;
}

/** The time comes first, so that a reader of raw logs can follow; ISO 8601. */
export function writeLine(fields: Readonly<Record<string, unknown>>): void {
  writeText(`${JSON.stringify({ timestamp: new Date().toISOString(), ...fields })}\n`);
}

/** A line that is JSON already, with its line feed. */
export function writeText(line: string): void {
  sink(line);
}
