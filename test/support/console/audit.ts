// Audits a page with axe, and finds misplaced elements: light and dark, desktop and phone, zoomed.
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';

const axe = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');

interface Finding {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

async function audit(page: Page): Promise<string[]> {
  if (await page.evaluate(`typeof axe === 'undefined'`)) await page.evaluate(axe);
  const { violations } = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
  )) as { violations: readonly Finding[] };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

/** Fields, buttons, links and labels that overlap, and elements wider than the page. */
const misplaced = `(() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push('wider than the page: ' + document.documentElement.scrollWidth);
  const all = [...document.querySelectorAll('main :is(input, select, textarea, button, a, summary, label, h1, h2, h3)')]
    .filter((one) => one.checkVisibility() && !one.closest('.unseen'))
    .map((one) => ({ one, box: one.getBoundingClientRect() }));
  for (const [index, { one, box }] of all.entries()) {
    for (const { one: other, box: below } of all.slice(index + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      const width = Math.min(box.right, below.right) - Math.max(box.left, below.left);
      const height = Math.min(box.bottom, below.bottom) - Math.max(box.top, below.top);
      if (width > 1 && height > 1) found.push(one.outerHTML.slice(0, 80) + ' lies on ' + other.outerHTML.slice(0, 80));
    }
  }
  return found;
})()`;

const looks = [
  { name: 'in light', width: 1120, height: 760, colorScheme: 'light', isAudited: true },
  { name: 'in dark', width: 1120, height: 760, colorScheme: 'dark', isAudited: true },
  { name: 'in light on a phone', width: 360, height: 780, colorScheme: 'light', isAudited: true },
  // 1280 pixels at a zoom of 400 % (WCAG 1.4.10).
  { name: 'magnified', width: 320, height: 256, colorScheme: 'light', isAudited: false },
] as const;

/** Audits the page in each layout; adds the violations to `findings`. */
export async function look(page: Page, findings: string[]): Promise<void> {
  for (const { name, width, height, colorScheme, isAudited } of looks) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    const found = [...(isAudited ? await audit(page) : []), ...((await page.evaluate(misplaced)) as string[])];
    findings.push(...found.map((what) => `${name}: ${what}`));
  }
}
