// The files of the page: all are served, nothing is inline, types are checked, and its words match the code.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { consoleFiles, contentSecurityPolicy } from '../../../console/files.ts';
import { stepNames } from '../../../core/diagnosis/diagnosis.ts';

const folder = 'console/page';
const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const files = readdirSync(folder).filter((name) => name !== 'tsconfig.json');

describe('the page', () => {
  it('has every file on the list, and every listed file exists', () => {
    expect([...files].sort()).toEqual([...consoleFiles].sort());
  });

  it('has no inline scripts or styles, and loads nothing from other origins', () => {
    const html = text('index.html');
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:/i);
    for (const name of files.filter((one) => !one.endsWith('.svg'))) {
      expect(text(name).replaceAll("'http://www.w3.org/2000/svg'", ''), name).not.toMatch(
        /(src|href|url\()=?["'(]?(https?:)?\/\//,
      );
    }
  });

  it('never parses text as HTML', () => {
    for (const name of files.filter((one) => one.endsWith('.js'))) {
      expect(text(name), name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function/,
      );
      expect(text(name), name).not.toMatch(/localStorage|sessionStorage|indexedDB|document\.cookie/);
    }
  });

  it('passes the type check', { timeout: 60_000 }, () => {
    const { status, stdout } = spawnSync('node_modules/.bin/tsc', ['-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('uses the step names of a diagnosis', async () => {
    const findings = await import(new URL('../../../console/page/findings.js', import.meta.url).href);
    expect(findings.stepNames).toEqual(Object.values(stepNames));
  });

  it('has words for each verdict', async () => {
    const { verdictWords } = await import(new URL('../../../console/page/words.js', import.meta.url).href);
    const source = readFileSync('core/diagnosis/diagnosis.ts', 'utf8');
    const verdicts = [...(/export type Verdict =([\s\S]*?);/.exec(source)?.[1] ?? '').matchAll(/'([a-z-]+)'/g)];
    expect(verdicts.length).toBe(7);
    for (const [, verdict] of verdicts) expect(verdictWords(verdict)[0], verdict).not.toBe(verdict);
  });

  it('can only load itself and send requests to its own server', () => {
    const directives = new Map(
      contentSecurityPolicy.split('; ').map((one) => [one.split(' ')[0], one.split(' ').slice(1).join(' ')]),
    );
    expect(directives.get('default-src')).toBe("'none'");
    for (const [name, value] of directives) {
      expect(value, name).toMatch(/^'(none|self|script)'$/);
    }
    expect([...directives.keys()]).toEqual(
      expect.arrayContaining(['base-uri', 'form-action', 'frame-ancestors', 'require-trusted-types-for']),
    );
  });
});

describe('words', async () => {
  const words = await import(new URL('../../../console/page/words.js', import.meta.url).href);
  const now = '2026-11-22T12:00:00.000Z';

  it.each([
    ['2027-02-20T12:00:00.000Z', '90 days', 'good'],
    ['2026-12-22T11:00:00.000Z', '29 days', 'warn'],
    ['2026-11-29T11:59:00.000Z', '6 days', 'bad'],
    ['2026-11-23T13:00:00.000Z', '1 day', 'bad'],
    ['2026-11-22T12:00:01.000Z', 'less than a day', 'bad'],
    ['2026-11-22T11:59:59.000Z', 'expired', 'bad'],
    ['2026-11-21T11:00:00.000Z', 'expired 1 day ago', 'bad'],
    ['2026-11-19T11:00:00.000Z', 'expired 3 days ago', 'bad'],
  ])('until %s: %s', (end, text, kind) => {
    const days = words.daysBetween(now, end);
    expect([words.daysLeft(days), words.urgency(days)]).toEqual([text, kind]);
  });

  it.each([
    ['CN=platform', 'platform'],
    ['C=DE,O=Acme,CN=Bots\\, inc', 'Bots, inc'],
    ['O=Acme', 'O=Acme'],
    ['', 'no name'],
  ])('the common name of %s is %s', (name, common) => {
    expect(words.commonName(name)).toBe(common);
  });
});
