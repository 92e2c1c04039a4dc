// Debian's Chromium, without a window and without a network: names that are not this machine's lead nowhere.
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

/** `rules` come before its own: `MAP <name> <address>`. */
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

/** A page that is listened to from its first byte. */
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
