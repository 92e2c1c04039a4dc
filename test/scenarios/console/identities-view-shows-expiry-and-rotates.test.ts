// The view of identities in Chromium: the time line, the chain, the versions side by side, and a rotation.
import { describe, expect, it } from 'vitest';
import { hostileName } from '../../support/console/console-cloud.ts';
import { chromium, notOk, said, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

describe.skipIf(!chromium)('the identities view (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

  it('lists identities by expiry, with the days in words', async () => {
    const page = await at.open();
    const rows = await page.locator('.life').allInnerTexts();
    expect(rows.map((row) => row.split('\n')[0])).toEqual(['broken', 'ended', 'ends-soon', 'platform']);
    expect(rows[0]).toMatch(/cannot be read/);
    expect(rows[1]).toMatch(/expired 2 days ago\s+on \d+ \w+ \d{4}/);
    expect(rows[2]).toMatch(/12 days\s+until/);
    expect(await page.title()).toBe('Identities · Countersign');
  });

  it('shows the chain from the root to the certificate, with any names', async () => {
    const page = await at.open('#/identities/ends-soon');
    const links = page.locator('.chain > li');
    expect(await links.count()).toBe(3);
    expect(await links.nth(0).locator('.name').textContent()).toBe(hostileName);
    expect(await links.nth(2).locator('.name').textContent()).toBe('ends-soon');
    expect(await page.locator('.signs').count()).toBe(2);
    expect(await page.locator('main img').count()).toBe(0);
    expect(await page.title()).toBe('Identities · Countersign');
  });

  it('shows why an identity cannot be used', async () => {
    const page = await at.open('#/identities/broken');
    await page.locator('.version.current').waitFor();
    expect(await page.locator('#identity').innerText()).toMatch(/No destinations are configured/);
    expect(await page.locator('.life.selected .life-problem').innerText()).toMatch(/Certificate is missing/);
  });

  it('selects an identity by link, and keeps it in the address', async () => {
    const page = await at.open();
    await page.click('.life-name a:text("ended")');
    await page.locator('.identity-name:text("ended")').waitFor();
    expect(new URL(page.url()).hash).toBe('#/identities/ended');
    await page.reload();
    await page.locator('.identity-name:text("ended")').waitFor();
    await page.goBack();
    await page.locator('.identity-name:text("broken")').waitFor();
  });

  it('rotates with the button: the current certificate becomes the previous one', async () => {
    const page = await at.open('#/identities/platform');
    const button = page.locator('#rotate:not([aria-disabled])');
    await button.waitFor();
    const fingerprint = (stage: string) => page.locator(`.version.${stage} code`).first().textContent();
    const before = await fingerprint('current');
    await button.focus();
    await button.press('Enter');
    await page.locator('.version.previous:not(.none)').waitFor();
    await expect.poll(() => said(page)).toBe('The certificate of platform has been replaced.');
    expect(await fingerprint('previous')).toBe(before);
    expect(await fingerprint('current')).not.toBe(before);
    expect(await page.evaluate('document.activeElement.id')).toBe('rotate');

    await page.click('[data-view=events]');
    expect(await page.locator('.event strong').allInnerTexts()).toEqual([
      'Certificate Activated',
      'Certificate Rejected',
      'Certificate Pending',
    ]);
    expect(await page.locator('.event').nth(1).innerText()).toContain(
      `Rejected by ${new URL(at.cloud.urlOf('pins')).host}`,
    );
  });

  it('shows the error of a rotation next to the button', async () => {
    const page = await at.open('#/identities/platform', {}, [notOk]);
    const button = page.locator('#rotate:not([aria-disabled])');
    await button.waitFor();
    await page.route('**/rotations', (route) => route.fulfill({ status: 409, json: { message: 'Not <b>now</b>.' } }));
    await button.click();
    expect(await page.locator('#identity [role=alert]').innerText()).toBe('Not <b>now</b>.');
    await button.waitFor();
  });

  it('disables the button if rotation is not set up', async () => {
    const page = await at.open('#/identities/ended');
    const button = page.locator('#rotate');
    expect(await button.getAttribute('aria-disabled')).toBe('true');
    const begun: string[] = [];
    page.on('request', (request) => begun.push(...(request.url().endsWith('/rotations') ? [request.url()] : [])));
    await button.click({ force: true });
    await button.press('Enter');
    await button.press('Space');
    expect(await page.evaluate('document.activeElement.id')).toBe('rotate');
    expect(begun).toEqual([]);
    expect(await page.locator('#identity [role=alert]').count()).toBe(0);
  });
});
