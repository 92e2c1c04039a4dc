// The figures as a table, ratios to the first row, and the bars with what was reached.

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Milliseconds of each call; both lists come from one process in which the calls took turns. */
export interface WarmRow {
  readonly name: string;
  readonly theirs: readonly number[];
  readonly ours: readonly number[];
}

export function printWarm(rows: readonly WarmRow[]): void {
  console.log('\n| warm, beside | its p50 | ours | ours / its | its p99 | ours | ours / its |');
  console.log('| --- | --: | --: | --: | --: | --: | --: |');
  for (const { name, theirs, ours } of rows) {
    const cells = [0.5, 0.99].flatMap((share) => {
      const [its, our] = [percentile(theirs, share), percentile(ours, share)];
      return [`${its.toFixed(3)} ms`, `${our.toFixed(3)} ms`, (our / its).toFixed(2)];
    });
    console.log(`| ${[name, ...cells].join(' | ')} |`);
  }
}

export interface ColdRow {
  readonly name: string;
  /** Milliseconds of each process. */
  readonly coldMs: readonly number[];
  readonly bytes: number;
}

export function printCold(
  rows: readonly ColdRow[],
  sdkBytes: { readonly plain: number; readonly trimmed: number },
): void {
  const first = rows[0];
  if (!first) return;
  console.log('\n| cold | p50 | ratio | p99 | ratio | bundle |\n| --- | --: | --: | --: | --: | --: |');
  for (const { name, coldMs, bytes } of rows) {
    const cells = [0.5, 0.99].flatMap((share) => {
      const ms = percentile(coldMs, share);
      return [`${ms.toFixed(0)} ms`, (ms / percentile(first.coldMs, share)).toFixed(2)];
    });
    console.log(`| ${[name, ...cells, kilobytes(bytes)].join(' | ')} |`);
  }
  const { plain, trimmed } = sdkBytes;
  console.log(`\nThe SDK alone: ${kilobytes(plain)}; with the replacements of infra/bundle/: ${kilobytes(trimmed)}.`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(0)} KB`;
}

export type Bar = readonly [name: string, reached: number, relation: 'at most' | 'at least', bar: number];

export function printBars(bars: readonly Bar[]): void {
  console.log('\n| bar | asked | reached | |\n| --- | --: | --: | --- |');
  for (const [name, reached, relation, bar] of bars) {
    const isMet = relation === 'at most' ? reached <= bar : reached >= bar;
    console.log(`| ${name} | ${relation} ${bar} | ${reached.toFixed(2)} | ${isMet ? 'yes' : 'no'} |`);
  }
}
