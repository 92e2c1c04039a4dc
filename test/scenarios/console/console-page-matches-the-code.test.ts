// docs/console.md and the README match the code: routes, policy, limits and pictures.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentSecurityPolicy } from '../../../console/files.ts';
import { consoleRoutes } from '../../../console/routes.ts';

const page = readFileSync('docs/console.md', 'utf8');
const readme = readFileSync('README.md', 'utf8');

function picturesOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const named = [...text.matchAll(/(?:src|srcset)="([^"]+)"|!\[[^\]]+\]\(([^)]+)\)/g)];
  return named.map(([, one, other]) => join(dirname(file), one ?? other ?? ''));
}

describe('docs/console.md', () => {
  it('has each route of the console', () => {
    for (const route of Object.values(consoleRoutes)) expect(page).toContain(`\`${route}\``);
  });

  it('has the content security policy as it is sent', () => {
    expect(page).toContain(`content-security-policy: ${contentSecurityPolicy}\n`);
  });

  it('has the limits of the code', () => {
    const source = ['console', 'identity-state', 'recent-verdicts']
      .map((name) => readFileSync(`console/${name}.ts`, 'utf8'))
      .join();
    const limit = (name: string) => Number(new RegExp(`${name} = ([\\d_]+)`).exec(source)?.[1]?.replaceAll('_', ''));
    expect(page).toContain(
      `At most ${limit('maxIdentities')} identities are shown, ${limit('maxDestinations')} destinations`,
    );
    expect(page).toContain(`${limit('maxVerdictsPerDestination')} hosts below a wildcard`);
    expect(page).toContain(`the last of each host, ${limit('maxVerdicts').toLocaleString('en')} at most`);
    expect(page).toContain(`the latest ${limit('maxEvents')}`);
  });

  it('is linked from the README', () => {
    expect(readme).toContain('[console.md](docs/console.md)');
  });
});

describe('the pictures', () => {
  const used = ['README.md', 'docs/console.md'].flatMap(picturesOf);

  it('that are shown exist, are small, and have alternative text', () => {
    expect(used.length).toBeGreaterThan(5);
    for (const picture of used) {
      expect(existsSync(picture), picture).toBe(true);
      expect(statSync(picture).size, picture).toBeLessThan(150_000);
    }
    for (const text of [page, readme]) expect(text).not.toMatch(/<img(?![^>]*\salt="[^"]{20,}")|!\[\]/);
  });

  it('that exist are shown', () => {
    for (const name of readdirSync('docs/images')) expect(used).toContain(join('docs/images', name));
  });
});
