// The diagnosis form in Chromium: each host of the demo API, invalid input, and the steps one after the other.
import { describe, expect, it } from 'vitest';
import { chromium, diagnose, notOk, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

describe.skipIf(!chromium)('the diagnosis form (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

  it('shows and announces the steps one by one, then the verdict', async () => {
    const page = await at.open('#/diagnose/platform', { reducedMotion: 'no-preference' });
    await page.evaluate(`
      window.seen = [];
      new MutationObserver(() => {
        const lit = [...document.querySelectorAll('.step')].filter((one) => !one.classList.contains('waiting')).length;
        const banner = document.querySelector('.banner')?.className;
        window.seen.push(lit + ' ' + banner);
      }).observe(document.getElementById('diagnosis'), { childList: true, subtree: true, attributes: true });
      window.told = [];
      new MutationObserver(() => window.told.push(document.getElementById('said').textContent))
        .observe(document.getElementById('said'), { childList: true, characterData: true, subtree: true });`);
    await diagnose(page, at.cloud.urlOf('accounts'));
    const seen = (await page.evaluate('window.seen')) as string[];
    expect([...new Set(seen)]).toEqual([...[0, 1, 2, 3, 4, 5].map((lit) => `${lit} banner waiting`), '5 banner good']);
    expect(await page.evaluate('window.told')).toEqual([
      'Diagnosing.',
      'Step 1 passed: request the endpoint.',
      'Step 2 passed: server presents its certificate.',
      'Step 3 passed: verify the server.',
      'Step 4 passed: send the client certificate.',
      'Step 5 passed: server verifies the client.',
      'Access is granted.',
    ]);
  });

  it.each([
    ['accounts', 'good', 'Access is granted', 0],
    ['expired', 'bad', 'The server is not trusted', 3],
    ['unknown-ca', 'bad', 'The server is not trusted', 3],
    ['wrong-name', 'bad', 'The server is not trusted', 3],
    ['rejects', 'bad', 'The server rejects the client certificate', 5],
    ['rejects-tls12', 'bad', 'The server rejects the client certificate', 5],
    ['one-way', 'warn', 'The server does not verify the client', 4],
    ['plain', 'bad', 'A TLS connection cannot be opened', 2],
  ])('diagnoses the host %s', async (host, kind, words, step) => {
    const page = await at.open('#/diagnose/platform');
    await diagnose(page, at.cloud.urlOf(host));
    expect(await page.locator(`#diagnosis .banner.${kind}`).innerText()).toContain(words);
    expect(await page.locator('.step').count()).toBe(5);
    const failed = page.locator('.step.bad');
    expect(await failed.count()).toBe(step === 0 ? 0 : 1);
    if (step === 0) return;
    expect(await page.locator(`.step:nth-child(${step}).bad .finding.failure code`).first().innerText()).toMatch(
      /^[a-z-]+$/,
    );
    expect(await page.locator('.remedy').count()).toBeGreaterThan(0);
  });

  it('starts from a destination, which then shows the verdict', async () => {
    const page = await at.open('#/identities/platform');
    const row = page.locator('.destination', { hasText: 'unknown-ca.demo.localhost' });
    await row.getByRole('button').click();
    await page.locator('#diagnosis:not([aria-busy]) .banner.bad').waitFor();
    expect(await page.inputValue('#diagnose-url')).toBe(at.cloud.urlOf('unknown-ca'));
    await page.click('[data-view=identities]');
    await expect.poll(() => row.locator('.verdict').innerText()).toMatch(/The server is not trusted\s+step 3/);
  });

  it('shows the data of the server, with its chain', async () => {
    const page = await at.open('#/diagnose/platform');
    await diagnose(page, at.cloud.urlOf('accounts'));
    await page.click('#diagnosis summary');
    expect(await page.locator('#diagnosis .certificate .role').allInnerTexts()).toEqual(['Root', 'Server certificate']);
    expect(await page.locator('#diagnosis .facts').last().innerText()).toContain('TLSv1.3');
  });

  it('sends the probe that was chosen', async () => {
    const page = await at.open('#/diagnose/platform');
    await page.selectOption('#diagnose-probe', 'path');
    await diagnose(page, `${at.cloud.urlOf('accounts')}v1/accounts/1/balance`);
    expect(await page.locator('.step').nth(4).innerText()).toContain('GET /v1/accounts/1/balance');
    await page.selectOption('#diagnose-probe', 'none');
    await diagnose(page, at.cloud.urlOf('accounts'));
    expect(await page.locator('.step').nth(4).innerText()).toContain('not-probed');
  });

  it('shows the problem of an unusable identity', async () => {
    const page = await at.open('#/diagnose/ended');
    expect(await page.inputValue('#diagnose-identity')).toBe('ended');
    await diagnose(page, 'https://api.example:8443/');
    expect(await page.locator('#diagnosis .banner').innerText()).toContain('The identity cannot be used');
  });

  it.each([
    ['', 'Enter the URL of the API.'],
    ['http://accounts.demo.localhost/', 'The URL must begin with https:// and name a host.'],
    ['api.example', 'The URL must begin with https:// and name a host.'],
    ['https://user@api.example/', /user|credential/i],
  ])('shows an error next to the field for "%s"', async (url, words) => {
    const page = await at.open('#/diagnose/platform', {}, [notOk]);
    await page.fill('#diagnose-url', url);
    await page.click('#diagnose-form button');
    const error = page.locator('#diagnose-url-error');
    await expect.poll(() => error.innerText()).toMatch(words);
    expect(await page.getAttribute('#diagnose-url', 'aria-invalid')).toBe('true');
    expect(await page.evaluate('document.activeElement.id')).toBe('diagnose-url');
  });

  it('shows an error for an endpoint that is not an allowed destination', async () => {
    const page = await at.open('#/diagnose/platform', {}, [notOk]);
    await diagnose(page, 'https://elsewhere.demo.localhost/');
    expect(await page.locator('#diagnosis .failure code').first().innerText()).toBe('destination-forbidden');
  });

  it('ignores the result of an earlier run', async () => {
    const page = await at.open('#/diagnose/platform', { reducedMotion: 'no-preference' });
    await page.fill('#diagnose-url', at.cloud.urlOf('rejects'));
    await page.press('#diagnose-url', 'Enter');
    await page.locator('.step.good').first().waitFor();
    await diagnose(page, at.cloud.urlOf('accounts'));
    expect(await page.locator('#diagnosis .banner').innerText()).toContain('Access is granted');
    expect(await page.locator('.step.bad').count()).toBe(0);
  });
});
