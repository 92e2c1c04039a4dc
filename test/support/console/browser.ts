// Debian's Chromium, headless and without a network: other host names do not resolve.
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const args = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-sync',
  '--disable-gpu',
  '--disable-quic',
  '--disable-domain-reliability',
];

const resolverRules = ['MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost', 'EXCLUDE *.localhost'];

/** @param rules extra host rules, which come first: `MAP <name> <address>` */
export function openBrowser(executablePath: string, rules: readonly string[] = []): Promise<Browser> {
  const resolver = `--host-resolver-rules=${[...rules, ...resolverRules].join(', ')}`;
  return chromium.launch({ executablePath, headless: true, args: [...args, resolver] });
}

export interface Watched {
  readonly page: Page;
  /** What the page complained of: console errors and warnings, exceptions, violations of its policy. */
  readonly complaints: string[];
  /** Of every request, also those that were not let through. */
  readonly requested: string[];
}

/** A page whose errors and requests are recorded from the start. */
export async function openPage(context: BrowserContext): Promise<Watched> {
  const complaints: string[] = [];
  const requested: string[] = [];
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requested.push(request.url()));
  await page.addInitScript(`addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error('policy violated: ' + violatedDirective + ' ' + blockedURI))`);
  return { page, complaints, requested };
}
