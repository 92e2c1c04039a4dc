// Pages of other origins, and a rebound name, in the same browser: they can read nothing and start nothing.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../support/console/browser.ts';
import { chromium, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

/** What a page can try without user interaction. Each returns what it could read, or `nothing`. */
const attempts: Readonly<Record<string, string>> = {
  'reads the state': `fetch(target + '/console/api/state').then((reply) => reply.text())`,
  'reads the state without being allowed to see it': `fetch(target + '/console/api/state', { mode: 'no-cors' }).then((reply) => reply.type + reply.status)`,
  'begins a rotation with JSON': `fetch(rotations, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }).then((reply) => reply.text())`,
  'begins a rotation without a preflight': `fetch(rotations, { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: '{}' }).then((reply) => reply.type + reply.status)`,
  'begins a rotation with a beacon': `Promise.resolve(String(navigator.sendBeacon(rotations, new Blob(['{}'], { type: 'text/plain' }))))`,
  'calls an API': `fetch(calls, { method: 'POST', mode: 'no-cors', body: '{"url":"' + api + '"}' }).then((reply) => reply.type + reply.status)`,
  'loads a script of the console': `loaded('script', target + '/console/main.js')`,
  'shows the console in a frame': `new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.onload = () => { try { resolve(frame.contentDocument?.body?.innerText || 'nothing'); } catch { resolve('nothing'); } };
    frame.src = target + '/';
    document.body.append(frame);
  })`,
  'sends a form': `new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.name = 'sink';
    document.body.append(frame);
    const form = document.createElement('form');
    Object.assign(form, { method: 'POST', action: rotations, target: 'sink', enctype: 'text/plain' });
    const field = document.createElement('input');
    Object.assign(field, { name: '{}' });
    form.append(field);
    document.body.append(form);
    frame.onload = () => resolve('nothing');
    form.submit();
  })`,
};

const readNothing = ['nothing', 'opaque0', 'true'];

describe.skipIf(!chromium)('a page of another origin (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();
  let evil: Server;
  let port = 0;
  beforeAll(async () => {
    evil = createServer((_, response) =>
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'),
    );
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    port = (evil.address() as AddressInfo).port;
  });
  afterAll(() => evil?.close());

  /** What the gateway answered to each request of the page that came to it. */
  async function tryAll(page: Page, target: string): Promise<Map<string, string>> {
    const got = new Map<string, string>();
    for (const [name, attempt] of Object.entries(attempts)) {
      const given = await page.evaluate(`(async () => {
        const target = ${JSON.stringify(target)};
        const rotations = target + '/console/api/identities/platform/rotations';
        const calls = target + '/v1/identities/platform/invocations';
        const api = ${JSON.stringify(at.cloud.urlOf('accounts'))};
        const loaded = (tag, src) => new Promise((resolve) => {
          const element = document.createElement(tag);
          element.onload = () => resolve('loaded');
          element.onerror = () => resolve('nothing');
          element.src = src;
          document.body.append(element);
        });
        return await (${attempt}).catch(() => 'nothing');
      })()`);
      got.set(name, String(given));
    }
    return got;
  }

  async function platform() {
    const reply = await fetch(`${at.cloud.gatewayUrl}/console/api/state`);
    const { identities, events } = (await reply.json()) as {
      identities: { name: string; current: { version: string }; rotation: { isUnderWay: boolean } }[];
      events: unknown[];
    };
    return { identity: identities.find(({ name }) => name === 'platform'), events };
  }

  it.each([
    ['another port of this machine', (own: number) => `http://127.0.0.1:${own}`],
    ['another name of this machine', (own: number) => `http://localhost:${own}`],
    ['a name below localhost', (own: number) => `http://evil.localhost:${own}`],
  ])('at %s', async (_, origin) => {
    // The rotation that Secrets Manager tests at the start.
    await expect.poll(async () => (await platform()).identity?.rotation.isUnderWay, { timeout: 20_000 }).toBe(false);
    const before = await platform();
    const context = await at.browser.newContext();
    const page = await context.newPage();
    const answered: number[] = [];
    page.on('response', (response) => {
      if (response.url().startsWith(at.cloud.gatewayUrl)) answered.push(response.status());
    });
    await page.goto(origin(port));
    const got = await tryAll(page, at.cloud.gatewayUrl);
    expect([...got].filter(([, what]) => !readNothing.includes(what))).toEqual([]);
    expect(answered.length).toBeGreaterThan(3);
    expect(new Set(answered)).toEqual(new Set([403]));
    expect(await platform()).toEqual(before);
    await context.close();
  });

  it('cannot read a console window that it opened', async () => {
    const context = await at.browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}`);
    const popup = page.waitForEvent('popup');
    await page.evaluate(`window.opened = window.open(${JSON.stringify(`${at.cloud.gatewayUrl}/#/diagnose/platform`)})`);
    const console = await popup;
    await console.locator('#diagnose-form').waitFor();
    // Cross-Origin-Opener-Policy has removed the reference.
    await expect.poll(() => page.evaluate('window.opened.closed')).toBe(true);
    expect(await console.evaluate('window.opener')).toBeNull();
    // An address can fill a form, but does not submit it.
    expect(await console.locator('#diagnosis').innerText()).toBe('');
    await context.close();
  });

  it('with a rebound name (DNS rebinding) gets no page and no answer', async () => {
    const rebound = await openBrowser(chromium as string, ['MAP rebound.example 127.0.0.1']);
    try {
      const page = await rebound.newPage();
      const target = at.cloud.gatewayUrl.replace('127.0.0.1', 'rebound.example');
      const reply = await page.goto(`${target}/`);
      expect(reply?.status()).toBe(403);
      const before = await platform();
      const statuses = await page.evaluate(`Promise.all([
        fetch('/console/api/state'),
        fetch('/console/main.js'),
        fetch('/console/api/identities/platform/rotations', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
        fetch('/v1/identities/platform/invocations', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
      ].map((asked) => asked.then((answer) => answer.status)))`);
      expect(statuses).toEqual([403, 403, 403, 403]);
      expect(await platform()).toEqual(before);
    } finally {
      await rebound.close();
    }
  });
});
