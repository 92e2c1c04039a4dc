// docs/customers.md has a row for every alert of the server matrix, and the directives of every server that a remedy
// names.
import { describe, expect, it } from 'vitest';
import { directiveFor, directives, type Software, softwareNames } from '../../core/diagnosis/server-software.ts';
import { expectations } from './expectations.ts';
import { blocksOf, pageText } from './page-blocks.ts';

const failing = pageText.split('\n## When it fails\n')[1] ?? '';

/** The block of each server on the page, or its entry under "Not tested here". */
const sections: Readonly<Record<Software, string>> = {
  nginx: block('nginx'),
  apache: block('apache'),
  caddy: block('caddy'),
  lighttpd: block('lighttpd'),
  tomcat: block('xml'),
  iis: entry('IIS'),
  alb: entry('AWS Application Load Balancer'),
  apigateway: entry('AWS API Gateway'),
  azure: entry('Azure Application Gateway'),
  cloudflare: entry('Cloudflare'),
  google: entry('Google Cloud Load Balancing'),
  envoy: entry('Envoy'),
};

const written = Object.entries(directives).flatMap(([task, byServer]) =>
  Object.entries(byServer).map(([server, directive]) => [task, server as Software, directive] as const),
);

describe('docs/customers.md', () => {
  const alerts = [...new Set(JSON.stringify(expectations).match(/(?<="alert )[a-z_]+(?=")/g))].sort();

  it.each(alerts)('has a row for the alert %s', (alert) => {
    const rows = failing.split('\n').filter((line) => /^\| step [25], .*alert/.test(line));
    expect(rows.filter((row) => (row.split(' | ')[0] ?? '').includes(`\`${alert}\``))).toHaveLength(1);
  });

  it('mentions the clock only for the alerts that a wrong clock causes', () => {
    const rows = failing.split('\n').filter((line) => line.includes('clock'));
    expect(rows.map((row) => /alert `(\w+)`/.exec(row)?.[1])).toEqual(['bad_certificate', 'certificate_expired']);
  });

  it.each(written)('contains the directive of remedy %s for %s', (_task, server, { lines, place = '', later }) => {
    for (const line of lines) expect(sections[server]).toContain(line);
    for (const word of place.match(/\w+/g)?.slice(0, 1) ?? []) expect(sections[server]).toContain(word);
    if (later) expect(pageText).toContain(`\`${later}\``);
  });

  it('has every server that an answer can identify', () => {
    expect(Object.keys(sections).sort()).toEqual(Object.keys(softwareNames).sort());
    for (const server of Object.keys(sections) as Software[])
      expect(directiveFor('trust-clients', server)).toMatch(/^[^*]*(root|clients)[^*]*$/);
  });
});

function block(language: string): string {
  return blocksOf(language).join('\n').replaceAll(/\s+/g, ' ');
}

function entry(name: string): string {
  const text = pageText.split(`\n- **${name}**: `)[1]?.split(/\n- \*\*|\n\n/)[0];
  if (!text) throw new Error(`docs/customers.md has no entry for ${name}.`);
  return text.replaceAll(/\s+/g, ' ');
}
