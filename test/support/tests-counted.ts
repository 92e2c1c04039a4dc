// Counts passed and failed tests in vitest's JSON report, and names the skipped ones.

export interface Counted {
  readonly passed: number;
  readonly failed: number;
  /** A line for each suite or test whose name says what it needs, and how many tests that are. */
  readonly skipped: ReadonlyMap<string, number>;
  /** The files that took longest, slowest first. */
  readonly slowest: readonly { readonly file: string; readonly seconds: number }[];
}

interface Report {
  readonly numPassedTests?: number;
  readonly numFailedTests?: number;
  readonly testResults?: readonly {
    readonly name: string;
    /** Milliseconds since 1970. */
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly fullName: string;
      readonly status: string;
    }[];
  }[];
}

/** Throws where the text is no report. */
export function countedIn(text: string): Counted {
  const { numPassedTests: passed = 0, numFailedTests: failed = 1, testResults = [] } = JSON.parse(text) as Report;
  const skipped = new Map<string, number>();
  for (const { ancestorTitles, title, fullName, status } of testResults.flatMap((file) => file.assertionResults)) {
    if (status === 'passed' || status === 'failed') continue;
    const titles = [...ancestorTitles, title];
    const needs = titles.findIndex((part) => part.includes('(needs '));
    const name = needs < 0 ? fullName : titles.slice(0, needs + 1).join(' ');
    skipped.set(name, (skipped.get(name) ?? 0) + 1);
  }
  const times = testResults.map(({ name, startTime, endTime }) => ({
    file: name,
    seconds: (endTime - startTime) / 1000,
  }));
  return { passed, failed, skipped, slowest: times.sort((a, b) => b.seconds - a.seconds).slice(0, 10) };
}
