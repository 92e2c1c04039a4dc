// Accessibility: an axe audit of each view and state, keyboard use, a phone, and reduced motion.
import { describe, expect, it } from 'vitest';
import { look } from '../../support/console/audit.ts';
import { call, chromium, diagnose, notOk, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

describe.skipIf(!chromium)('accessibility of the console (needs chromium)', { timeout: 120_000 }, () => {
  const at = useConsoleInChromium();

  it('axe finds no violation in any view: light, dark, desktop, phone, zoomed', async () => {
    const page = await at.open('#/identities/ends-soon', {}, [notOk]);
    const findings: string[] = [];
    await look(page, findings);
    for (const name of ['broken', 'ended', 'platform']) {
      await page.click(`.life-name a:text("${name}")`);
      await page.locator(`.identity-name:text("${name}")`).waitFor();
      await look(page, findings);
    }
    await page.click('[data-view=diagnose]');
    await page.click('#diagnose-form button');
    await look(page, findings);
    for (const host of ['rejects', 'one-way']) {
      await diagnose(page, at.cloud.urlOf(host));
      await page.click('#diagnosis summary');
      await look(page, findings);
    }
    await diagnose(page, 'https://elsewhere.demo.localhost/');
    await look(page, findings);
    await page.click('[data-view=call]');
    await page.click('#call-form summary');
    await page.fill('#call-url', at.cloud.urlOf('accounts'));
    await page.fill('#call-timeout', '0');
    await page.click('#call-form button');
    await look(page, findings);
    await page.fill('#call-timeout', '9000');
    await call(page, `${at.cloud.urlOf('accounts')}v1/accounts/1/balance`);
    await page.click('#answer summary');
    await look(page, findings);
    await call(page, at.cloud.urlOf('expired'));
    await look(page, findings);
    await page.click('[data-view=events]');
    await look(page, findings);
    expect(findings).toEqual([]);
  });

  it('every control is reachable with the keyboard, and the focus is visible', async () => {
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
    // The answer does not move the focus.
    expect(await focused()).toBe('Diagnose');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('What the server sent');
    await page.keyboard.press('Enter');
    expect(await page.locator('#diagnosis details').getAttribute('open')).toBe('');
  });

  it('reduced motion is respected', async () => {
    const page = await at.open('#/diagnose/platform');
    await diagnose(page, at.cloud.urlOf('rejects'));
    expect(await page.evaluate('document.getAnimations().length')).toBe(0);
  });

  it('input and scroll position stay while the page polls', async () => {
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
