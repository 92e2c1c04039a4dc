// A recording: a text file of sections, compared with what happens now, or written with COUNTERSIGN_RECORD=1.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { jsonLines } from './json-lines.ts';
import type { Masks } from './masks.ts';

const folder = join(import.meta.dirname, 'recordings');
const isRecording = process.env.COUNTERSIGN_RECORD === '1';

export interface Section {
  readonly title: string;
  /** Each may have several lines. */
  readonly parts: readonly string[];
}

/** Sections are compared one at a time, so that a difference is reported with the title of its section. */
export function compareRecording(name: string, sections: readonly Section[], masks: Masks): void {
  const titles = sections.map(({ title }) => title);
  expect(
    titles.filter((title, index) => titles.indexOf(title) !== index),
    'titles that stand twice',
  ).toEqual([]);
  const texts = sections.map((section) => masks.section(textOf(section)));
  const file = join(folder, `${name}.txt`);
  if (isRecording) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, texts.join(''));
    return;
  }
  const recorded = readFileSync(file, 'utf8').split(/^(?==== )/m);
  const headOf = (text: string) => text.slice(0, text.indexOf('\n'));
  expect(texts.map(headOf)).toEqual(recorded.map(headOf));
  for (const [index, text] of texts.entries()) expect.soft(text, headOf(text)).toBe(recorded[index]);
}

function textOf({ title, parts }: Section): string {
  const text = `=== ${title}\n${parts.map((part) => (part.endsWith('\n') ? part : `${part}\n`)).join('')}\n`;
  // It is there only if the identity was due for a read when the call came.
  return text.replaceAll(/^.*"identityAgeMs": .*\n/gm, '');
}

/** Each line behind the sign; a body that is JSON has a line for each member. */
export function quoted(sign: string, text: string): string {
  const shown = jsonLines(text) ?? text;
  return shown
    .split('\n')
    .map((line) => `${sign} ${visible(line)}`.trimEnd())
    .join('\n');
}

/** A line of a log: `log` and its members. */
export function logged(line: string): string {
  return quoted('log', line);
}

/** Characters that do not show, as JSON writes them; blanks at the end of a line would be lost in an editor. */
function visible(line: string): string {
  return line
    .replaceAll(/[\p{Cc}\u2028\u2029\ufffd]/gu, (sign) => {
      return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
    })
    .replace(/ +$/, (blanks) => '·'.repeat(blanks.length));
}
