// With authentication: the page asks for a token, sends it only to its server, stores it nowhere, and removes it on
// request.
import type { Page, Route } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { call, chromium, notOk, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

const token = 'T'.repeat(43);

describe.skipIf(!chromium)('a token in the console (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

  /** Like a server with --callers: the files are public, everything else needs a token. */
  async function demandToken(page: Page): Promise<void> {
    const guarded = async (route: Route) => {
      const isKnown = route.request().headers().authorization === `Bearer ${token}`;
      if (isKnown) await route.continue();
      else await route.fulfill({ status: 401, json: { code: 'not-authenticated', detail: 'It has no token.' } });
    };
    await page.route('**/console/api/**', guarded);
    await page.route('**/v1/**', guarded);
  }

  async function give(page: Page, value: string): Promise<void> {
    await page.fill('#token-value', value);
    await page.press('#token-value', 'Enter');
  }

  it('is asked for, checked, and opens the page', async () => {
    const page = await at.open('#/call/platform', {}, [notOk], demandToken);
    expect(await page.evaluate('document.activeElement.id')).toBe('token-value');
    expect(await page.getAttribute('#token-value', 'type')).toBe('password');
    expect(await page.locator('nav, #forget').filter({ visible: true }).count()).toBe(0);
    const error = page.locator('#token-value-error');
    for (const [value, words] of [
      ['', 'Enter the token.'],
      ['a b', 'A token can contain letters, digits and symbols, but no spaces.'],
      ['W'.repeat(43), 'The server does not accept this token.'],
    ] as const) {
      await give(page, value);
      await expect.poll(() => error.innerText()).toBe(words);
      expect(await page.evaluate('document.activeElement.id')).toBe('token-value');
    }
    await give(page, token);
    await page.locator('#call:visible').waitFor();
    // The focus must not stay on a hidden field.
    expect(await page.evaluate('document.activeElement.id')).toBe('call-title');
    await call(page, `${at.cloud.urlOf('accounts')}echo`);
    expect(await page.locator('#answer .banner').innerText()).toContain('HTTP 200');
    // The token is not sent to the customer's server.
    expect(await page.locator('pre.body').innerText()).not.toContain(token);
  });

  it('is in no storage, cookie, address or field, and is lost when the page closes', async () => {
    const page = await at.open('', {}, [notOk], demandToken);
    await give(page, token);
    await page.locator('#identities:visible').waitFor();
    const kept = await page.evaluate(`JSON.stringify([
      { ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state,
      [...document.querySelectorAll('input')].map(({ value }) => value), document.documentElement.outerHTML,
    ])`);
    expect(kept).not.toContain(token);
    await page.reload();
    await page.locator('#token:visible').waitFor();
  });

  it('is removed by the button, with the data of the page', async () => {
    const page = await at.open('', {}, [notOk], demandToken);
    await give(page, token);
    await page.locator('.life').first().waitFor();
    await page.click('#forget');
    await page.locator('#token:visible').waitFor();
    expect(await page.locator('.life').count()).toBe(0);
  });

  it('that is revoked removes the data of the page', async () => {
    const page = await at.open('', {}, [notOk], demandToken);
    await give(page, token);
    await page.locator('.life').first().waitFor();
    await page.route('**/console/api/state', (route) => route.fulfill({ status: 401, json: {} }));
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await page.locator('#token:visible').waitFor();
    expect(await page.locator('main').innerText()).toContain('The server does not accept this token.');
    expect(await page.locator('.life, .certificate, .version').count()).toBe(0);
  });
});
