// The console of `serve` in Chromium, with a token: where it differs from the console of `npm start`.
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBrowser, openPage } from '../../support/console/browser.ts';
import { diagnose, notOk } from '../../support/console/console-in-chromium.ts';
import { findPeer } from '../../support/peers.ts';
import { newToken, surroundings } from '../../support/serve/installation.ts';
import { startServing } from '../../support/serve/serving.ts';

const chromium = findPeer('chromium');

describe.skipIf(!chromium)('the console of serve in Chromium (needs chromium)', () => {
  it('asks for a token, shows the identities of the caller, diagnoses, and shows the verdict', {
    timeout: 60_000,
  }, async () => {
    const { folder, identities, target, api } = await surroundings();
    const [mine, unknown] = [newToken(), newToken()];
    const callers = JSON.stringify([{ name: 'people', tokenSha256: mine.tokenSha256, identities: ['platform'] }]);
    const serving = await startServing({ identities, workers: '2', callers: folder.write('callers.json', callers) });
    const browser = await openBrowser(chromium as string);
    onTestFinished(() => browser.close());
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    const { page, complaints, requested } = await openPage(context);
    await page.goto(`${serving.url}/`);
    await page.locator('#token:visible').waitFor();

    const give = async (token: string) => {
      await page.fill('#token-value', token);
      await page.press('#token-value', 'Enter');
    };
    await give(unknown.token);
    await expect.poll(() => page.locator('#token-value-error').innerText()).toContain('does not accept this token');
    await give(mine.token);
    await page.locator('#place:not(:empty)').waitFor();
    const shown = await page.locator('main').innerText();
    expect(shown).toContain('platform');
    expect(shown).not.toContain('acme');
    expect(await page.locator('#rotate').count()).toBe(0);

    await page.click('[data-view=diagnose]');
    await diagnose(page, target);
    expect(await page.locator('#diagnosis').innerText()).toContain('Access is granted.');
    await page.click('[data-view=identities]');
    await expect
      .poll(() => page.locator('main').innerText(), { timeout: 15_000 })
      .toMatch(new RegExp(`localhost:${api.port}[\\s\\S]*Access is granted`));

    expect(complaints.filter((words) => !notOk.test(words))).toEqual([]);
    expect(requested.filter((url) => !url.startsWith(`${serving.url}/`))).toEqual([]);
    await serving.line(({ message, caller }) => message === 'diagnosis' && caller === 'people');
    expect(JSON.stringify(serving.lines())).not.toContain(mine.token);
  });
});
