// The page for everybody: an audit by axe of each view and state, the keyboard alone, a phone, motion that nobody asked for.
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { call, chromium, diagnose, notOk, useConsoleInChromium } from './console-in-chromium.ts';

const axe = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');

describe.skipIf(!chromium)('the console for everybody (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

  interface Finding {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }

  async function audit(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const { violations } = (await page.evaluate(
      `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
    )) as { violations: readonly Finding[] };
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  }

  const phone = { viewport: { width: 360, height: 780 } };
  it.each([
    ['in light', { colorScheme: 'light' }],
    ['in dark', { colorScheme: 'dark' }],
    ['in light on a phone', { ...phone, colorScheme: 'light' }],
    ['in dark on a phone', { ...phone, colorScheme: 'dark' }],
  ] as const)('axe finds nothing %s', async (_, options) => {
    const page = await at.open('#/identities/ends-soon', options, [notOk]);
    const findings: string[] = [];
    const look = async () => {
      findings.push(...(await audit(page)));
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    };
    await look();
    await page.click('.life-name a:text("platform")');
    await page.locator('.identity-name:text("platform")').waitFor();
    await look();
    await page.click('[data-view=diagnose]');
    await page.click('#diagnose-form button');
    await look();
    await diagnose(page, at.cloud.urlOf('rejects'));
    await page.click('#diagnosis summary');
    await look();
    await page.click('[data-view=call]');
    await page.click('#call-form summary');
    await call(page, `${at.cloud.urlOf('accounts')}v1/accounts/1/balance`);
    await page.click('#answer summary');
    await look();
    await call(page, at.cloud.urlOf('expired'));
    await look();
    await page.click('[data-view=events]');
    await look();
    expect(findings).toEqual([]);
  });

  it('the keyboard alone goes everywhere, and what has the focus is seen', async () => {
    const page = await at.open('#/identities/platform');
    const focused = () => page.evaluate(`(document.activeElement.id || document.activeElement.textContent).trim()`);
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('skip');
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('main');
    expect(new URL(page.url()).hash).toBe('#/identities/platform');
    await page.keyboard.press('Shift+Tab');
    for (let presses = 0; presses < 10 && (await focused()) !== 'Diagnose'; presses++)
      await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.locator('#diagnose:visible').waitFor();
    expect(await focused()).toBe('diagnose-title');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('diagnose-identity');
    await page.keyboard.press('Tab');
    await page.keyboard.type(at.cloud.urlOf('rejects'));
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Diagnose');
    await page.keyboard.press('Enter');
    await page.locator('#diagnosis:not([aria-busy]) .remedy').first().waitFor();
    // The answer takes the focus from nobody.
    expect(await focused()).toBe('Diagnose');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('What the server showed');
    await page.keyboard.press('Enter');
    expect(await page.locator('#diagnosis details').getAttribute('open')).toBe('');
  });

  it('who wants no motion has none', async () => {
    const page = await at.open('#/diagnose/platform');
    await diagnose(page, at.cloud.urlOf('rejects'));
    expect(await page.evaluate('document.getAnimations().length')).toBe(0);
  });

  it('what is typed and where one reads stays while the page asks anew', async () => {
    const page = await at.open('#/diagnose/platform');
    await page.selectOption('#diagnose-identity', 'ended');
    await page.fill('#diagnose-url', 'https://half-ty');
    const asked = page.waitForResponse('**/console/api/state');
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await asked;
    expect(await page.inputValue('#diagnose-url')).toBe('https://half-ty');
    expect(await page.inputValue('#diagnose-identity')).toBe('ended');
    expect(await page.evaluate('document.activeElement.id')).toBe('diagnose-url');
  });
});
