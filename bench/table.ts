// The figures as a table, ratios to the first row, and the bars with what was reached.

export interface Row {
  readonly name: string;
  /** Milliseconds. */
  readonly warmP50: number;
  readonly warmP99: number;
  readonly coldP50: number;
  readonly bytes: number;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function printTable(rows: readonly Row[], sdkBytes: number): void {
  const first = rows[0];
  if (!first) return;
  console.log('\n| program | warm p50 | ratio | warm p99 | ratio | cold p50 | ratio | bundle |');
  console.log('| --- | --: | --: | --: | --: | --: | --: | --: |');
  for (const row of rows) {
    const cells = [
      row.name,
      `${row.warmP50.toFixed(3)} ms`,
      (row.warmP50 / first.warmP50).toFixed(2),
      `${row.warmP99.toFixed(3)} ms`,
      (row.warmP99 / first.warmP99).toFixed(2),
      `${row.coldP50.toFixed(0)} ms`,
      (row.coldP50 / first.coldP50).toFixed(2),
      `${(row.bytes / 1000).toFixed(0)} KB`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log(`\nThe SDK alone: ${(sdkBytes / 1000).toFixed(0)} KB.`);
}

export type Bar = readonly [name: string, reached: number, relation: 'at most' | 'at least', bar: number];

export function printBars(bars: readonly Bar[]): void {
  console.log('\n| bar | asked | reached | |\n| --- | --: | --: | --- |');
  for (const [name, reached, relation, bar] of bars) {
    const isMet = relation === 'at most' ? reached <= bar : reached >= bar;
    console.log(`| ${name} | ${relation} ${bar} | ${reached.toFixed(2)} | ${isMet ? 'yes' : 'no'} |`);
  }
}
