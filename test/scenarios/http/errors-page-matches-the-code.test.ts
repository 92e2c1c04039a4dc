// docs/errors.md has the codes, statuses, steps, titles and `retryable` of core/errors.ts, in table and entries.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemResponse } from '../../../core/api.ts';
import { CountersignError, type ErrorCode, errorTable } from '../../../core/errors.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8');
const codes = Object.keys(errorTable) as ErrorCode[];

function entryOf(code: ErrorCode): { title: string; status: number; step: number | undefined; retryable: boolean } {
  const { title, status, retryable, ...rest } = errorTable[code];
  return { title, status, step: rest.step, retryable };
}

describe('docs/errors.md', () => {
  it('has an entry for each code and for nothing else, in the order of the table', () => {
    const rows = [...page.matchAll(/^\| \[`([a-z-]+)`\]\(#([a-z-]+)\) /gm)];
    const headings = [...page.matchAll(/^## (.+)$/gm)];
    expect(rows.map(([, code]) => code)).toEqual(codes);
    expect(rows.map(([, , anchor]) => anchor)).toEqual(codes);
    expect(headings.map(([, heading]) => heading)).toEqual(codes);
  });

  it.each(codes)('%s has the same row as the table', (code) => {
    const { status, step, retryable } = entryOf(code);
    expect(page).toContain(`| [\`${code}\`](#${code}) | ${step ?? '–'} | ${status} | ${retryable ? 'yes' : 'no'} |\n`);
  });

  it.each(codes)('%s has an entry with its title and an explanation', (code) => {
    const section = page.split(/^## /m).find((one) => one.startsWith(`${code}\n`));
    const [, title, text] = /^\S+\n\n\*\*(.+)\.\*\*\n\n([\s\S]*)$/.exec(section ?? '') ?? [];
    expect(title).toBe(entryOf(code).title);
    expect(text?.trim().length).toBeGreaterThan(60);
  });

  it('shows a problem document with every member one has', () => {
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
    const { code, detail, hint, evidence, requestId, diagnosis } = example;
    const error = new CountersignError(code, detail, {
      hint,
      evidence,
      diagnosis: { identity: 'acme', url: diagnosis.body.url },
    });
    const reply = problemResponse(error, requestId, 'https://countersign.example/docs/');
    expect(JSON.parse(reply.body ?? '')).toEqual(example);
    expect(Object.keys(JSON.parse(reply.body ?? ''))).toEqual(Object.keys(example));
  });
});
