// `npm run screenshots`: takes the pictures of the README and docs/console.md from the local cloud.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { defaults } from '../../../core/settings.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { localCredentials, localRegion } from '../../../local/gateway/functions.ts';
import { findPeer } from '../peers.ts';
import { openBrowser, openPage } from './browser.ts';

const folder = 'docs/images';
const mostBytes = 150_000;
const day = 86_400_000;
/** The ports of `npm start`, so that the addresses in the pictures work. */
const ports = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 8443 };
const desk = { width: 1120, height: 760 };

const chromium = findPeer('chromium');
if (!chromium) throw new Error('Chromium is missing; on Debian: apt-get install chromium');
const state = mkdtempSync(join(tmpdir(), 'countersign-screenshots-'));
const cloud = await startCloud({ folder: state, ports, onFailure: (name, reason) => console.error(name, reason) });
const browser = await openBrowser(chromium);
try {
  mkdirSync(folder, { recursive: true });
  await addIdentities(cloud);
  await inColours(browser, 'identities', { ...desk, height: 1035 }, showIdentities);
  await inColours(browser, 'diagnosis', { ...desk, height: 960 }, showDiagnosis);
  await take(browser, 'chain', { viewport: desk }, showIdentities, '[aria-label=Chain]');
  await take(browser, 'call', { viewport: { ...desk, height: 1010 } }, showCall);
  const phone = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 1.5, colorScheme: 'dark' } as const;
  await take(browser, 'phone', phone, showDiagnosis);
} finally {
  await browser.close();
  await cloud.close();
  rmSync(state, { recursive: true, force: true });
}

/** More identities for the time line. */
async function addIdentities({ secretsManagerUrl: endpoint, hosts: [host] }: Cloud): Promise<void> {
  const client = new SecretsManagerClient({ endpoint, region: localRegion, credentials: localCredentials });
  const authority = createAuthority({ commonName: 'Example customer CA' });
  for (const [name, days] of [
    ['acme-bank', 12],
    ['nordic-insurance', 214],
    ['old-partner', -3],
  ] as const) {
    const issued = authority.intermediate({ commonName: 'Example customer issuing CA' }).issue({
      commonName: name,
      usage: 'client',
      notBefore: new Date(Date.now() - 300 * day),
      notAfter: new Date(Date.now() + (days + 0.5) * day),
    });
    const document = {
      privateKey: issued.privateKey,
      certificate: issued.certificate,
      intermediateCertificates: issued.intermediates,
      rootCertificate: issued.root,
      destinations: [{ host: host?.host, port: host?.port, network: 'loopback' }],
    };
    const Name = `${defaults.secretPrefix}${name}`;
    await client.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify(document) }));
  }
  client.destroy();
}

async function showIdentities(page: Page): Promise<void> {
  await page.goto(`${cloud.gatewayUrl}/#/identities/platform`);
  const button = page.locator('#rotate:not([aria-disabled])');
  await button.waitFor();
  if (await page.locator('.version.previous.none').isVisible()) {
    await button.click();
    await page.locator('.version.previous:not(.none)').waitFor();
    await button.waitFor();
  }
  await page.mouse.move(0, 0);
}

async function showDiagnosis(page: Page): Promise<void> {
  await page.goto(`${cloud.gatewayUrl}/#/diagnose/platform`);
  await page.locator('#diagnose-url').fill(urlOf('rejects.demo.localhost'));
  await page.locator('#diagnose-url').press('Enter');
  await page.locator('.remedy').first().waitFor();
  await page.locator('#diagnose-url').blur();
}

async function showCall(page: Page): Promise<void> {
  await page.goto(`${cloud.gatewayUrl}/#/call/platform`);
  await page.locator('#call-url').fill(`${urlOf('accounts.demo.localhost')}v1/accounts/1/balance`);
  await page.locator('#call-url').press('Enter');
  await page.locator('.times').waitFor();
  await page.locator('#call-url').blur();
}

function urlOf(name: string): string {
  const host = cloud.hosts.find((one) => one.host === name);
  return `https://${name}:${host?.port}/`;
}

async function inColours(
  on: Browser,
  name: string,
  viewport: { width: number; height: number },
  open: (page: Page) => Promise<void>,
): Promise<void> {
  await take(on, name, { viewport, colorScheme: 'light' }, open);
  await take(on, `${name}-dark`, { viewport, colorScheme: 'dark' }, open);
}

async function take(
  on: Browser,
  name: string,
  options: BrowserContextOptions,
  open: (page: Page) => Promise<void>,
  part?: string,
): Promise<void> {
  const context = await on.newContext({ reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC', ...options });
  const { page } = await openPage(context);
  await open(page);
  const path = join(folder, `${name}.png`);
  await (part === undefined ? page : page.locator(part)).screenshot({ path });
  await context.close();
  const { size } = statSync(path);
  console.log(`${path}  ${Math.round(size / 1000)} KB`);
  if (size > mostBytes) throw new Error(`${path} has ${size} bytes; ${mostBytes} is the most.`);
}
