// docs/diagnosis.md lists exactly the codes, verdicts and reasons; command-page.test.ts checks the options.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findingCodes } from '../../../core/diagnosis/diagnosis.ts';
import { knownDiagnosisFields } from '../../../core/diagnosis/request.ts';

const page = readFileSync('docs/diagnosis.md', 'utf8');
const api = readFileSync('docs/api.md', 'utf8');

function rows(title: string): string[] {
  const section = page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (`[\w-]+`(?:, `[\w-]+`)*) \|/gm)].flatMap(([, names]) =>
    (names as string).replaceAll('`', '').split(', '),
  );
}

describe('docs/diagnosis.md', () => {
  it('lists every finding code that is not an error code, after the reasons of an untrusted server', () => {
    const [reasons, codes] = [rows('Findings').slice(0, 3), rows('Findings').slice(3)];
    expect(reasons).toEqual(['self-signed', 'missing-intermediate', 'unknown-root']);
    expect(codes).toEqual([...findingCodes]);
  });

  it('has every verdict', () => {
    const source = readFileSync('core/diagnosis/diagnosis.ts', 'utf8');
    const union = source.split('export type Verdict =')[1]?.split(';')[0] ?? '';
    expect(rows('Verdicts').sort()).toEqual([...union.matchAll(/'([\w-]+)'/g)].map(([, name]) => name).sort());
  });

  it('is linked from the page of the API, which has every field', () => {
    const section = api.split('\n## The diagnosis\n')[1]?.split('\n## ')[0] ?? '';
    const fields = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    expect(fields).toEqual([...knownDiagnosisFields]);
    expect(section).toContain('(diagnosis.md)');
  });
});
