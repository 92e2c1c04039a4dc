// The page for everybody: an audit by axe of each view and state, the keyboard alone, a phone, motion that nobody asked for.
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { ConsoleState } from '../../console/state.ts';
import { call, chromium, diagnose, notOk, settled, useConsoleInChromium } from './console-in-chromium.ts';

const axe = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');

describe.skipIf(!chromium)('the console for everybody (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

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

  /** Fields, buttons, links and labels that lie on one another, and what is wider than the page. */
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
    { name: 'in light', width: 1120, height: 760, colorScheme: 'light' },
    { name: 'in dark', width: 1120, height: 760, colorScheme: 'dark' },
    { name: 'in light on a phone', width: 360, height: 780, colorScheme: 'light' },
    { name: 'in dark on a phone', width: 360, height: 780, colorScheme: 'dark' },
    // What is left of 1280 pixels at a zoom of 400 % (WCAG 1.4.10).
    { name: 'magnified', width: 320, height: 256, colorScheme: 'light' },
  ] as const;

  async function look(page: Page, findings: string[]): Promise<void> {
    for (const { name, width, height, colorScheme } of looks) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      const found = [...(await audit(page)), ...((await page.evaluate(misplaced)) as string[])];
      findings.push(...found.map((what) => `${name}: ${what}`));
    }
  }

  it('axe finds nothing in any view, in light and dark, on a desk and on a phone, and magnified', async () => {
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

  it('nor in what is seldom seen', async () => {
    const reply = await fetch(`${at.cloud.gatewayUrl}/console/api/state`);
    const state = (await reply.json()) as ConsoleState;
    const [platform] = state.identities.filter(({ name }) => name === 'platform');
    if (platform?.current === undefined) throw new Error('The local cloud has no identity.');
    const [certificate] = platform.current.chain;
    const long = { ...platform.current, chain: Array(9).fill(certificate) };
    const waiting = { version: 'v', chain: [] };
    const { rotation: _rotation, ...unrotated } = platform;
    const events = ['Certificate Activated', 'Certificate Rejected', 'Certificate Pending', 'Hello'].map((type) => {
      return { id: type, time: state.now, type, identity: 'platform', rejectedBy: ['pins.demo.localhost:8452'] };
    });
    const states: readonly (ConsoleState | number)[] = [
      { ...state, identities: [], events: [], caller: 'c'.repeat(64) },
      {
        ...state,
        events,
        identities: [
          {
            ...platform,
            previous: platform.current,
            next: platform.current,
            rotation: { isEnabled: true, isUnderWay: true },
            destinations: platform.destinations.map((destination, index) => {
              const verdict = (['access-granted', 'access-refused', 'not-mutual'] as const)[index % 3] ?? 'unreachable';
              const { host, port } = destination;
              return { ...destination, verdicts: [{ host, port, verdict, certainty: 'inferred', at: state.now }] };
            }),
          },
        ],
      },
      {
        ...state,
        identities: [{ ...platform, next: waiting, current: long }],
      },
      {
        ...state,
        ...{ mayRotate: false, place: 'directory', furtherIdentities: 7 },
        identities: [
          { ...unrotated, name: 'n'.repeat(63), problem: { code: 'x', detail: 'it broke.', hint: 'Mend it.' } },
        ],
      },
      500,
      401,
    ];
    const findings: string[] = [];
    let answered = states[0] as ConsoleState | number;
    const page = await at.open('', {}, [notOk], (fresh) =>
      fresh.route('**/console/api/state', (route) =>
        typeof answered === 'number'
          ? route.fulfill({ status: answered, json: {} })
          : route.fulfill({ json: answered }),
      ),
    );
    for (const one of states) {
      answered = one;
      await page.goto('about:blank');
      await page.goto(`${at.cloud.gatewayUrl}/`);
      await page.locator(settled).first().waitFor();
      await look(page, findings);
      if (typeof one === 'number' || one.events === undefined) continue;
      await page.click('[data-view=events]');
      await look(page, findings);
    }
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
