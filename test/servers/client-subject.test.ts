// docs/customers.md: no caller can name itself in X-Client-Subject, and the line that lets in one subject alone keeps
// others of the same root out.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type SubjectForms, subjectForms } from '../../cli/trust-pack/configurations.ts';
import { type Authority, createAuthority, type IssuedCertificate } from '../../local/authority/authority.ts';
import { element, oid, sequence } from '../support/import/encoded.ts';
import { freePort } from '../support/port.ts';
import { identityOf } from './certificates.ts';
import { configurations } from './configurations.ts';
import { missingFor } from './listener.ts';
import { createMatrixClient } from './matrix-client.ts';
import { pageText } from './page-blocks.ts';
import { plainApi } from './plain-api.ts';
import { openResources } from './resources.ts';

/** The form in which each hands the subject on; undefined where it hands none on. */
const handedOn: Readonly<Record<string, keyof SubjectForms | undefined>> = {
  nginx: 'rfc2253',
  apache: 'rfc2253',
  haproxy: 'slashes',
  caddy: 'go',
  lighttpd: undefined,
};
const comparing = [...Object.keys(handedOn), 'java', 'go', 'js'];

const types = { C: '2.5.4.6', ST: '2.5.4.8', O: '2.5.4.10', OU: '2.5.4.11', CN: '2.5.4.3' } as const;
type Part = readonly [type: keyof typeof types, value: string];

function issued(issuer: Authority, ...parts: readonly Part[]): IssuedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(
    ...parts.map(([type, value]) => element(0x31, sequence(oid(types[type]), element(0x0c, Buffer.from(value))))),
  );
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKey: key, ...issuer.certify({ subject, publicKey, usage: 'client' }) };
}

const people: Readonly<Record<string, readonly Part[]>> = {
  'bot-platform': [
    ['O', 'Acme'],
    ['CN', 'bot-platform'],
  ],
  laptop: [
    ['O', 'Acme'],
    ['CN', 'laptop'],
  ],
  // In no server's own order.
  long: [
    ['O', 'Acme GmbH'],
    ['C', 'DE'],
    ['OU', 'Bots'],
    ['CN', 'bot 1'],
  ],
};

async function started(language: string, compares: boolean | ((serialNumber: string) => string)) {
  const resources = openResources();
  onTestFinished(() => resources.end());
  const folder = resources.folder();
  const company = createAuthority({ commonName: 'Acme Root' });
  const issuer = company.intermediate({ commonName: 'Acme Issuer' });
  const customer = createAuthority({ commonName: 'Customer Root' });
  const above = customer.intermediate({ commonName: 'Customer Issuer' });
  const server = above.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  folder.write('server.pem', server.certificate + server.intermediates);
  folder.write('server.key', server.privateKey);
  folder.write('server-and-key.pem', server.certificate + server.intermediates + server.privateKey);
  folder.write('platform-root.pem', company.certificate);
  const identities = Object.entries(people).map(([name, parts]) => [name, issued(issuer, ...parts)] as const);
  const [, laptop] = identities.find(([name]) => name === 'laptop') ?? [];
  const { serialNumber } = new X509Certificate(laptop?.certificate ?? '');
  const seen: { host: string | undefined; subjects: string[] }[] = [];
  const behind = await plainApi(resources, ({ headers, rawHeaders }) => {
    const subjects = rawHeaders.filter((_, at) => /^x.client.subject$/i.test(rawHeaders[at - 1] ?? '') && at % 2 === 1);
    // Some leave the port out.
    seen.push({ host: headers.host?.split(':')[0], subjects });
  });
  const place = {
    folder: folder.path,
    port: await freePort(),
    behind,
    compares: typeof compares === 'boolean' ? compares : compares(serialNumber),
  };
  await configurations[language]?.start(place, folder, resources);
  const client = createMatrixClient(resources);
  const roots = { serverRoots: customer.certificate, minTlsVersion: 'TLSv1.2', maxTlsVersion: 'TLSv1.3' } as const;
  const destination = {
    host: 'localhost',
    port: place.port,
    network: 'loopback',
    requireMutual: true,
    ...roots,
  } as const;
  for (const [name, one] of identities) client.identities.set(name, identityOf(name, one, destination));
  return { client, seen, url: `https://localhost:${place.port}/` };
}

/** What is not installed, in words. */
function missingOf(language: string): string | undefined {
  const configuration = configurations[language];
  return configuration && missingFor(configuration);
}

describe.each(Object.keys(handedOn))('the header of the configuration in %s', (language) => {
  const missing = missingOf(language);
  it.skipIf(missing)(
    `is the certificate's, whatever the caller sends${missing ? ` (needs ${missing})` : ''}`,
    { timeout: 60_000 },
    async () => {
      const { client, seen, url } = await started(language, false);
      const forged = [
        {},
        { 'x-client-subject': 'CN=administrator' },
        { 'X-CLIENT-Subject': ['CN=administrator', 'CN=root'] },
      ];
      for (const headers of forged) {
        expect(await client.invoke('long', { url, headers })).toBe('200');
      }
      const form = handedOn[language];
      const subject = form && subjectForms(new X509Certificate(client.identities.get('long')?.certificate ?? ''))[form];
      expect(subject === undefined).toBe(language === 'lighttpd');
      expect(seen).toEqual(
        Array(forged.length).fill({ host: 'localhost', subjects: subject === undefined ? [] : [subject] }),
      );
    },
  );
});

describe.each(comparing)('the line about the subject in %s', (language) => {
  const missing = missingOf(language);
  it.skipIf(missing)(
    `lets in one of all that the root vouches for${missing ? ` (needs ${missing})` : ''}`,
    { timeout: 60_000 },
    async () => {
      const { client, url } = await started(language, true);
      expect(await client.invoke('bot-platform', { url })).toBe('200');
      expect(await client.invoke('laptop', { url })).toMatch(language === 'lighttpd' ? /^401/ : /^403/);
      // 401 is what APIs say of a missing token, too: no diagnosis can tell.
      if (language !== 'lighttpd')
        expect(await client.diagnose('laptop', { url })).toMatchObject({ verdict: 'access-refused', step: '5' });
    },
  );
});

/** By the table about a key that was stolen: where each line stands, and the line. */
const refusing: Readonly<Record<string, readonly [place: string, around: (line: string) => string]>> = {
  nginx: ['nginx, in `server`', (line) => line],
  apache: ['Apache httpd, in `<Location "/">`', (line) => `<Location "/">\n${line}\n</Location>`],
  haproxy: ['HAProxy, in `frontend`', (line) => line],
};

describe.each(Object.entries(refusing))('the line about a stolen key in %s', (language, [place, around]) => {
  const missing = missingOf(language);
  it.skipIf(missing)(
    `keeps out the one with that serial number${missing ? ` (needs ${missing})` : ''}`,
    { timeout: 60_000 },
    async () => {
      const row = pageText.split('\n').find((line) => line.startsWith(`| ${place} | \``)) ?? '';
      const [, line = ''] = / \| `([^`]+)` \|$/.exec(row) ?? [];
      expect(line).toContain('0A1B2C');
      const { client, url } = await started(language, (serialNumber) => around(line.replace('0A1B2C', serialNumber)));
      expect(await client.invoke('bot-platform', { url })).toBe('200');
      expect(await client.invoke('laptop', { url })).toMatch(/^403/);
    },
  );
});
