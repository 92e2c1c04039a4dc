// Compares the measured cells of a server with the expected ones: right, weak, wrong.
import type { Measured } from './measure.ts';
import { type CellOutcome, expectedOf, type Grade, gradeOf, type ServerExpectation } from './outcomes.ts';

export interface Judgement {
  readonly counts: { readonly cells: number } & Readonly<Record<Grade, number>>;
  /** Every cell that is not right, and what differs. */
  readonly lines: readonly string[];
  /** Nothing is wrong, no call contradicts its diagnosis, and every weak cell has a reason. */
  readonly isAcceptable: boolean;
}

export function judge(expectation: ServerExpectation, measured: readonly Measured[]): Judgement {
  const counts = { cells: measured.length, right: 0, weak: 0, wrong: 0 };
  const lines: string[] = [];
  let isAcceptable = true;
  for (const { cell, version, outcome, contradiction } of measured) {
    const expected = expectedOf(expectation, cell, version);
    const grade = contradiction ? 'wrong' : gradeOf(outcome, expected);
    counts[grade] += 1;
    if (grade === 'right') continue;
    const weak = expectation.weak?.find((one) => one.cell === cell && one.version === version);
    const isKnown = grade === 'weak' && weak?.remedy === outcome.remedy;
    if (!isKnown) isAcceptable = false;
    lines.push(
      `${grade}: ${version} ${cell}: ${differences(outcome, expected)}${contradiction ?? ''}${isKnown ? `(${weak.reason})` : ''}`,
    );
  }
  return { counts, lines, isAcceptable };
}

function differences(outcome: CellOutcome, expected: CellOutcome | undefined): string {
  if (!expected) return 'no expectation';
  return (Object.keys(outcome) as (keyof CellOutcome)[])
    .filter((field) => outcome[field] !== expected[field])
    .map((field) => `${field} is ${outcome[field]}, not ${expected[field]}; `)
    .join('');
}
