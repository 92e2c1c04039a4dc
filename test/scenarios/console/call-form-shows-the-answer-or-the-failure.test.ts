// The call form in Chromium: the answer, failures with their step, field errors, and a server that does not answer.
import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  call,
  chromium,
  diagnose,
  notOk,
  said,
  useConsoleInChromium,
} from '../../support/console/console-in-chromium.ts';

describe.skipIf(!chromium)('the call form (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

  it('shows the answer, its timings as consecutive bars, and the handshake', async () => {
    const page = await at.open('#/call/platform');
    await call(page, `${at.cloud.urlOf('accounts')}v1/accounts/1/balance`);
    expect(await page.locator('#answer .banner').innerText()).toMatch(/HTTP 200\s+(new|resumed|reused) connection/);
    expect(await page.locator('pre.body').innerText()).toMatch(/^\{\n {2}"account": "1",\n/);
    expect(await page.locator('.times li').count()).toBe(6);
    const bars = (await page.evaluate(`[...document.querySelectorAll('.time-bar')].map((bar) =>
      ['--from', '--length'].map((name) => Number.parseFloat(bar.style.getPropertyValue(name))))`)) as [
      number,
      number,
    ][];
    for (const [index, [from, length]] of bars.entries()) {
      expect(from + length).toBeCloseTo(bars[index + 1]?.[0] ?? 100, 0);
    }
    expect(await page.locator('#answer .facts').first().innerText()).toMatch(/TLSv1.3[\s\S]*AWSCURRENT/);
    expect(await said(page)).toMatch(/^The API responded with HTTP 200 after/);
  });

  it('says that the server did not ask for the client certificate', async () => {
    const page = await at.open('#/call/platform');
    await call(page, at.cloud.urlOf('one-way'));
    const facts = await page.locator('#answer .facts').first().innerText();
    expect(facts).toMatch(/Presented\s+no client certificate: the server did not ask for one$/);
    expect(await page.locator('#answer .notice').innerText()).toMatch(/^The API server did not ask for a client/);
  });

  it('sends method, headers and body unchanged', async () => {
    const page = await at.open('#/call/platform');
    await page.fill('#call-method', 'POST');
    await page.click('#call-form summary');
    await page.fill('#call-headers', 'X-One: 1\n\nx-two:a:b\nx-one: 2');
    const body = '{"amount": 1.00}\n';
    await page.fill('#call-body', body);
    await call(page, `${at.cloud.urlOf('accounts')}echo`);
    const echoed = JSON.parse(await page.locator('pre.body').innerText());
    expect(echoed).toMatchObject({
      method: 'POST',
      headers: { 'x-one': '1, 2', 'x-two': 'a:b' },
      body: { bytes: body.length, sha256: hash('sha256', body) },
    });
  });

  it.each([
    ['expired', 'server-certificate-expired', 3],
    ['rejects', 'client-certificate-rejected', 5],
    ['plain', 'server-not-tls', 2],
    ['one-way', 'client-certificate-not-requested', 4],
    ['silent', 'handshake-timeout', 2],
  ])('shows for host %s the failure %s', async (host, code, step) => {
    const page = await at.open('#/call/platform', {}, [notOk]);
    await page.click('#call-form summary');
    await page.check('#call-mutual');
    await page.fill('#call-timeout', '1500');
    await call(page, at.cloud.urlOf(host));
    expect(await page.locator('.failure code').first().innerText()).toBe(code);
    expect(await page.locator('.strip').getAttribute('aria-label')).toBe(`Step ${step} of 5 failed`);
    expect(await page.locator('.strip-step.good').count()).toBe(step - 1);
    expect(await page.locator('.failure').innerText()).toContain('What to do:');
    expect(await said(page)).toMatch(/\.$/);
  });

  it('offers a diagnosis of the endpoint after a failure', async () => {
    const page = await at.open('#/call/platform', {}, [notOk]);
    await call(page, `${at.cloud.urlOf('wrong-name')}v1/accounts`);
    await page.click('.failure button');
    await page.locator('#diagnosis:not([aria-busy]) .banner.bad').waitFor();
    expect(await page.inputValue('#diagnose-url')).toBe(at.cloud.urlOf('wrong-name'));
  });

  it.each([
    ['call-url', '', 'Enter the URL of the API.'],
    ['call-method', '', 'Enter a method.'],
    ['call-headers', 'accept: a\nno colon', 'Line 2 must be a name, a colon and a value.'],
    ['call-timeout', '0', 'The time limit must be a whole number from 1 to 28000.'],
    ['call-timeout', 'soon', 'The time limit must be a whole number from 1 to 28000.'],
  ])('shows an error next to field %s for "%s"', async (id, value, words) => {
    const page = await at.open('#/call/platform');
    await page.fill('#call-url', at.cloud.urlOf('accounts'));
    await page.click('#call-form summary');
    await page.fill(`#${id}`, value);
    // An error must be seen even in a part that was folded again.
    await page.click('#call-form summary');
    await page.click('#call-form button');
    expect(await page.locator(`#${id}-error`).innerText()).toBe(words);
    expect(await page.evaluate('document.activeElement.id')).toBe(id);
    expect(await page.locator('#answer .result').count()).toBe(0);
  });

  it.each([
    ['call-method', 'get', 'The field "method" must be written in capitals.'],
    ['call-headers', 'host: elsewhere.example', 'The header "host" is set by Countersign alone; leave it out.'],
    ['call-url', 'https://api.example/#part', 'The url has a fragment'],
    ['call-url', 'https://user:secret@api.example/', 'Remove everything up to the "@"'],
  ])('shows the error of the server next to field %s for "%s"', async (id, value, words) => {
    const page = await at.open('#/call/platform', {}, [notOk]);
    await page.fill('#call-url', at.cloud.urlOf('accounts'));
    await page.click('#call-form summary');
    await page.fill(`#${id}`, value);
    await page.click('#call-form button');
    const error = page.locator(`#${id}-error`);
    await expect.poll(() => error.innerText()).toContain(words);
    expect(await page.evaluate('document.activeElement.id')).toBe(id);
    expect(await page.locator('#answer').innerText()).toBe('');
    // Gone with the next try.
    await page.fill('#call-method', 'GET');
    await page.fill('#call-headers', '');
    await call(page, `${at.cloud.urlOf('accounts')}echo`);
    expect(await error.innerText()).toBe('');
    expect(await page.getAttribute(`#${id}`, 'aria-invalid')).toBeNull();
  });

  describe('without an answer', () => {
    const offline = /net::ERR_INTERNET_DISCONNECTED/;

    it('shows the error, and removes it afterwards', async () => {
      const page = await at.open('#/diagnose/platform', {}, [offline]);
      await page.context().setOffline(true);
      await diagnose(page, at.cloud.urlOf('accounts'));
      expect(await page.locator('#diagnosis .failure').innerText()).toContain('The server cannot be reached.');
      await page.click('[data-view=call]');
      await call(page, at.cloud.urlOf('accounts'));
      expect(await page.locator('#answer .failure').innerText()).toContain('The server cannot be reached.');
      await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
      expect(await page.locator('#trouble').innerText()).toMatch(/cannot be reached.*may be out of date/);
      await page.context().setOffline(false);
      await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
      await expect.poll(() => page.locator('#trouble').innerText()).toBe('');
    });

    it.each([
      [{ status: 503, json: { message: 'Service Unavailable' } }, 'Service Unavailable'],
      [{ status: 500, body: 'no JSON' }, 'The server responded with HTTP 500.'],
      [{ status: 200, body: '<html>' }, 'The server responded with something that is not JSON.'],
      [{ status: 200, body: '' }, 'The server responded with something that is not JSON.'],
    ])('an invalid answer: %j', async (answer, words) => {
      const page = await at.open('#/call/platform', {}, [notOk]);
      await page.route('**/invocations', (route) => route.fulfill(answer));
      await call(page, at.cloud.urlOf('accounts'));
      expect(await page.locator('.failure .banner').innerText()).toBe(words);
    });

    it('shows an error if the state cannot be loaded', async () => {
      const page = await at.open('', {}, [notOk], (fresh) =>
        fresh.route('**/console/api/state', (route) => route.fulfill({ status: 500, json: { message: 'It broke.' } })),
      );
      expect(await page.locator('#trouble').innerText()).toBe('It broke.');
    });
  });
});
