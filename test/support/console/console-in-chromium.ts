// Shared by tests of the page: a cloud, a browser, and for every test a check of the page's errors and requests.
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { findPeer } from '../peers.ts';
import { openBrowser, openPage, type Watched } from './browser.ts';
import { type ConsoleCloud, startConsoleCloud } from './console-cloud.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const chromium = findPeer('chromium');

/** Chromium logs every response that is not a success. */
export const notOk = /^Failed to load resource: the server responded with a status of (4|5)\d\d/;

/** The page has rendered its data, or an error. */
export const settled = '#place:not(:empty), #trouble .notice, #token:visible';

export interface ConsoleInChromium {
  readonly cloud: ConsoleCloud;
  readonly browser: Browser;
  /** `expected`: complaints that the test provokes. `prepare` runs before the page is asked for. */
  open(
    address?: string,
    options?: BrowserContextOptions,
    expected?: readonly RegExp[],
    prepare?: (page: Page) => Promise<unknown>,
  ): Promise<Page>;
}

/** Call it in a `describe`. */
export function useConsoleInChromium(): ConsoleInChromium {
  let cloud: ConsoleCloud;
  let browser: Browser;
  const folder = temporaryFolder();
  const opened: { context: BrowserContext; watched: Watched; expected: readonly RegExp[] }[] = [];

  beforeAll(async () => {
    [cloud, browser] = await Promise.all([startConsoleCloud(folder.path), openBrowser(chromium as string)]);
  });
  afterAll(async () => {
    await browser?.close();
    await cloud?.close();
    folder.remove();
  });
  /** Checked after every test: no errors, and no requests to other origins. */
  afterEach(async () => {
    for (const { context, watched, expected } of opened.splice(0)) {
      await context.close();
      const { complaints, requested } = watched;
      expect(complaints.filter((words) => !expected.some((pattern) => pattern.test(words)))).toEqual([]);
      expect(requested.filter((url) => !url.startsWith(`${cloud.gatewayUrl}/`))).toEqual([]);
    }
  });

  return {
    get cloud() {
      return cloud;
    },
    get browser() {
      return browser;
    },
    async open(address = '', options = {}, expected = [], prepare = undefined) {
      const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(15_000);
      const watched = await openPage(context);
      opened.push({ context, watched, expected });
      const { page } = watched;
      await prepare?.(page);
      await page.goto(`${cloud.gatewayUrl}/${address}`);
      await page.locator(settled).first().waitFor();
      return page;
    },
  };
}

/** The last announcement to screen readers. */
export function said(page: Page): Promise<string | null> {
  return page.locator('#said').textContent();
}

export async function diagnose(page: Page, url: string): Promise<void> {
  await page.fill('#diagnose-url', url);
  await page.click('#diagnose-form button');
  await page.locator('#diagnosis:not([aria-busy]) .result').waitFor();
}

export async function call(page: Page, url: string): Promise<void> {
  await page.fill('#call-url', url);
  await page.click('#call-form button');
  await page.locator('#answer .banner:not(.waiting)').waitFor();
}
