// Hostile names, findings and answers from customers' servers are shown as text, with their characters in order.
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { ConsoleState } from '../../../console/state.ts';
import { call, chromium, diagnose, notOk, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

const html = `<script>document.title=1</script><img src=x onerror="document.title=2"><style>*{display:none}</style>`;
/** Direction controls (U+202E, U+2066) around HTML; long, and without a space. */
const hostile = `\u202e${html}\u2066${'x'.repeat(3_000)}`;
/** As it must be shown. */
const seen = `\\u202e${html}\\u2066${'x'.repeat(3_000)}`;
/** Not a valid date. */
const date = '2030-01-01T00:00:00.000Z';

const certificate = {
  subject: `CN=${hostile},O=${hostile}`,
  issuer: hostile,
  validFrom: '2020-01-01T00:00:00.000Z',
  validTo: date,
  fingerprint256: hostile,
  key: hostile,
  signature: hostile,
  names: [hostile, hostile],
};

async function requireText(page: Page, place: string, atLeast: number): Promise<void> {
  const shown = () => page.locator(place).innerText();
  const times = async () => (await shown()).toLowerCase().split(seen.toLowerCase()).length - 1;
  // A view renders its first data at once, and the rest when it arrives.
  await expect.poll(times, { timeout: 15_000 }).toBeGreaterThanOrEqual(atLeast);
  const text = await shown();
  expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
  expect(await page.locator('main script, main img, main style, main [onerror]').count()).toBe(0);
  expect(await page.title()).toMatch(/· Countersign$/);
  expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
}

const phone = { viewport: { width: 360, height: 780 } };

describe.skipIf(!chromium)('remote text (needs chromium)', { timeout: 60_000 }, () => {
  const at = useConsoleInChromium();

  it.each([
    ['on a desk', {}],
    ['on a phone', phone],
  ])('in an identity and its events, %s', async (_, options) => {
    const version = { version: hostile, chain: [certificate, certificate], problem: { code: 'x', detail: hostile } };
    const state: ConsoleState = {
      now: '2026-01-01T00:00:00.000Z',
      place: 'local-cloud',
      caller: hostile,
      mayRotate: true,
      furtherIdentities: 0,
      identities: [
        {
          name: 'acme',
          current: version,
          next: version,
          previous: version,
          problem: { code: 'x', detail: hostile, hint: hostile },
          rotation: { isEnabled: true, isUnderWay: false, schedule: hostile },
          destinations: [
            {
              ...{ host: hostile, port: 443, network: 'private', requireMutual: true, isPinned: true },
              ...{ hasOwnRoots: true, probe: hostile },
              verdicts: [
                { host: hostile, port: 443, verdict: hostile as 'unreachable', certainty: 'observed', at: date },
              ],
            },
          ],
        },
      ],
      events: [
        { id: '1', time: date, type: hostile, identity: hostile, rejectedBy: [hostile] },
        { id: '2', time: date, type: 'constructor', identity: '__proto__' },
      ],
    };
    const page = await at.open('#/identities/acme', options, [], (fresh) =>
      fresh.route('**/console/api/state', (route) => route.fulfill({ json: state })),
    );
    await requireText(page, '#identities', 20);
    await requireText(page, '.top', 1);
    await page.click('[data-view=events]');
    await requireText(page, '#events', 3);
  });

  it.each([
    ['on a desk', {}],
    ['on a phone', phone],
  ])('in a diagnosis, %s', async (_, options) => {
    const page = await at.open('#/diagnose/platform', options);
    const finding = { code: hostile, severity: 'failure', certainty: 'inferred', detail: hostile };
    const steps = [1, 2, 3, 4, 5].map((step) => {
      return { step, name: hostile, status: step === 5 ? hostile : 'failed', durationMs: 1, findings: [finding] };
    });
    const chain = Array.from({ length: 12 }, () => certificate);
    const json = {
      ...{ verdict: hostile, certainty: 'inferred', totalMs: 1, steps },
      url: `https://api.example/${encodeURI(hostile)}`,
      identity: { name: hostile, version: hostile, stage: hostile },
      server: {
        ...{ address: hostile, chain, builtChain: chain, protocol: hostile, cipher: hostile, keyExchange: hostile },
        ...{ stapledOcsp: hostile, software: hostile },
      },
      request: {
        asked: true,
        acceptableIssuers: Array(30).fill(hostile),
        acceptableIssuerCount: 130,
        signatureAlgorithms: [hostile],
      },
      client: { chain: [certificate], issuers: [hostile] },
      probe: { method: hostile, path: `/${hostile}`, status: 200 },
      remedies: [{ who: hostile, do: hostile, directive: hostile, server: hostile, tried: 'worked' }],
    };
    await page.route('**/diagnoses', (route) => route.fulfill({ json }));
    await diagnose(page, 'https://api.example/');
    await page.click('#diagnosis summary');
    await requireText(page, '#diagnosis', 80);
    expect(await page.locator('.link').count()).toBe(12);
    expect(await page.locator('#said').textContent()).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
  });

  it.each([
    ['on a desk', {}],
    ['on a phone', phone],
  ])('in the answer of a call, %s', async (_, options) => {
    const page = await at.open('#/call/platform', options);
    const json = {
      status: 200,
      headers: { 'content-type': 'text/html', 'x-hostile': [hostile, hostile], [hostile]: hostile },
      body: hostile,
      bodyEncoding: 'utf8',
      advice: hostile,
      handshake: {
        protocol: hostile,
        cipher: hostile,
        connection: hostile,
        server: { subject: hostile, issuer: hostile, fingerprint256: '', validTo: date },
        client: { fingerprint256: hostile, validTo: date, version: '', stage: hostile },
      },
      timings: { identityMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, firstByteMs: 0, totalMs: 0 },
    };
    await page.route('**/invocations', (route) => route.fulfill({ json }));
    await call(page, at.cloud.urlOf('accounts'));
    await page.click('#answer summary');
    expect(await page.locator('pre.body').innerText()).toBe(seen);
    await requireText(page, '#answer', 12);
  });

  it.each([
    ['on a desk', {}],
    ['on a phone', phone],
  ])('in a failure, and beside a field, %s', async (_, options) => {
    const page = await at.open('#/call/platform', options, [notOk]);
    const problem = {
      detail: hostile,
      code: hostile,
      step: 3,
      hint: hostile,
      evidence: { [hostile]: hostile, list: [hostile] },
    };
    await page.route('**/invocations', (route) => route.fulfill({ status: 502, json: problem }));
    await call(page, at.cloud.urlOf('accounts'));
    await requireText(page, '#answer', 5);
    await page.unroute('**/invocations');
    const invalid = { detail: hostile, code: 'invalid-request', evidence: { field: 'url' } };
    await page.route('**/invocations', (route) => route.fulfill({ status: 400, json: invalid }));
    await page.click('#call-form button');
    await page.locator('#call-url-error:not(:empty)').waitFor();
    await requireText(page, '#call-form', 1);
  });

  it('a body of millions of characters is cut, with a note', async () => {
    const page = await at.open('#/call/platform');
    const json = {
      ...{ status: 200, headers: { 'content-type': 'application/json' }, bodyEncoding: 'utf8' },
      body: JSON.stringify('y'.repeat(3_000_000)),
      handshake: {
        ...{ protocol: 'TLSv1.3', cipher: '', connection: 'new' },
        server: { subject: '', issuer: '', fingerprint256: '', validTo: date },
        client: { fingerprint256: '', validTo: date, version: '', stage: '' },
      },
      timings: { identityMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, firstByteMs: 0, totalMs: 0 },
    };
    await page.route('**/invocations', (route) => route.fulfill({ json }));
    await call(page, at.cloud.urlOf('accounts'));
    expect(await page.locator('#answer').innerText()).toContain('The first 200,000 of 3,000,002 characters.');
    expect((await page.locator('pre.body').textContent())?.length).toBe(200_000);
  });
});
