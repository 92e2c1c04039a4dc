// The last lines of `npm test` name every test that did not run, with what it needs.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { countedIn } from './support/tests-counted.ts';

const result = (status: string, title: string, ...ancestorTitles: string[]) => ({
  ancestorTitles,
  fullName: [...ancestorTitles, title].join(' '),
  title,
  status,
});

/** As vitest 5 writes it, cut down to what is read. */
const report = JSON.stringify({
  numPassedTests: 1,
  numFailedTests: 0,
  testResults: [
    {
      name: '/countersign/test/quick.test.ts',
      startTime: 1000,
      endTime: 1500.5,
      assertionResults: [
        result('passed', 'answers', 'nginx'),
        result('skipped', 'is diagnosed (needs the right to make a network namespace)', 'every cell of GnuTLS'),
        result('skipped', 'is diagnosed (needs lighttpd-mod-openssl)', 'every cell of lighttpd'),
      ],
    },
    {
      name: '/countersign/test/slow.test.ts',
      startTime: 1000,
      endTime: 4000,
      assertionResults: [
        result('skipped', 'lists', 'the AWS CLI (needs the AWS CLI)', 'over HTTP'),
        result('pending', 'creates', 'the AWS CLI (needs the AWS CLI)', 'over HTTP'),
        result('skipped', 'listens on IPv6', 'the gateway'),
      ],
    },
  ],
});

describe('skipped suites are named', () => {
  it('once for each suite, with what it needs and how many tests that are', () => {
    const { passed, failed, skipped } = countedIn(report);
    expect({ passed, failed }).toEqual({ passed: 1, failed: 0 });
    expect([...skipped]).toEqual([
      ['every cell of GnuTLS is diagnosed (needs the right to make a network namespace)', 1],
      ['every cell of lighttpd is diagnosed (needs lighttpd-mod-openssl)', 1],
      ['the AWS CLI (needs the AWS CLI)', 2],
      ['the gateway listens on IPv6', 1],
    ]);
  });

  it('and the slowest files come first', () => {
    expect(countedIn(report).slowest).toEqual([
      { file: '/countersign/test/slow.test.ts', seconds: 3 },
      { file: '/countersign/test/quick.test.ts', seconds: 0.5005 },
    ]);
  });

  it('and a report that counts nothing is a failure', () => {
    expect(countedIn('{}').failed).toBe(1);
    expect(() => countedIn('')).toThrow();
  });

  it('every suite that can be skipped says in its name what it needs', () => {
    const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' });
    const skips = files
      .filter((file) => file.endsWith('.test.ts') && !import.meta.filename.endsWith(file))
      .flatMap((file) => {
        const text = readFileSync(`${import.meta.dirname}/${file}`, 'utf8');
        return [...text.matchAll(/\.skipIf\(/g)].map(({ index }) => ({ file, words: text.slice(index, index + 600) }));
      });
    expect(skips.length).toBeGreaterThan(20);
    expect(skips.filter(({ words }) => !words.includes('(needs ')).map(({ file }) => file)).toEqual([]);
  });
});
