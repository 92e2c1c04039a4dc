// The pages' promise: each link from one to another, to a heading or to a file, leads to what is there.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

/** What is between fences is shown, not meant. */
function textOf(path: string): string {
  return readFileSync(path, 'utf8').replace(/^ *(```+|~~~+)[\s\S]*?^ *\1 *$/gm, '');
}

/** Without those that name a scheme: what is on other machines is not for a test to reach. */
function linksIn(text: string): string[] {
  const prose = text.replace(/(`+)[^`]+?\1/g, '');
  return [...prose.matchAll(/\]\(<?([^)\s>]+)|^\[[^\]]+\]: *<?([^\s>]+)/gm)]
    .map((match) => (match[1] ?? match[2]) as string)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

/** As on GitHub: letters, digits, hyphens and underscores stay, spaces become hyphens, a repeat ends with `-1`. */
function anchorsOf(path: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of textOf(path).matchAll(/^#{1,6} +(.+?)(?: +#+)? *$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    anchors.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return anchors;
}

/** Why the link leads nowhere, or undefined. */
function fault(page: string, link: string): string | undefined {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? join(root, page) : resolve(root, dirname(page), decodeURIComponent(file));
  if (relative(root, target).startsWith('../..')) return 'leaves the repository';
  if (!existsSync(target)) return 'no such file';
  if (anchor === undefined) return undefined;
  if (!target.endsWith('.md') || statSync(target).isDirectory()) return 'only pages have headings';
  return anchorsOf(target).has(anchor) ? undefined : 'no such heading';
}

describe('every relative link leads to an existing file and heading', () => {
  it.each(pages)('%s', (page) => {
    const links = linksIn(textOf(join(root, page)));
    const faults = links.flatMap((link) => {
      const why = fault(page, link);
      return why ? [`${link}: ${why}`] : [];
    });
    expect(faults).toEqual([]);
  });

  it('a link that leads nowhere is reported', () => {
    expect(linksIn('[a](b.md#c), `[d](e.md)` and [`f`](g.md "title"), [h](https://i.example)\n[j]: k.md')).toEqual([
      'b.md#c',
      'g.md',
      'k.md',
    ]);
    expect(fault('docs/api.md', 'no-such-page.md')).toBe('no such file');
    expect(fault('docs/api.md', 'errors.md#no-such-code')).toBe('no such heading');
    expect(fault('docs/api.md', '#no-such-heading')).toBe('no such heading');
    expect(fault('docs/api.md', 'errors.md#invalid-request')).toBeUndefined();
  });
});
