// docs/customers.md: each configuration accepts the platform over TLS 1.2 and 1.3, and no other client.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { softwareNames } from '../../core/diagnosis/server-software.ts';
import { freePort } from '../support/port.ts';
import { createMatrixCertificates, identityOf, type MatrixCertificates } from './certificates.ts';
import { configurations } from './configurations.ts';
import { missingFor, programOf } from './listener.ts';
import { createMatrixClient } from './matrix-client.ts';
import { blocksOf, languages, localize, type Place } from './page-blocks.ts';
import { plainApi } from './plain-api.ts';
import { type Folder, openResources, type Resources } from './resources.ts';

interface Ground {
  readonly resources: Resources;
  readonly certificates: MatrixCertificates;
  readonly folder: Folder;
  readonly place: Place;
}

/** As whom each is known by its answer to `GET /`; Tomcat names itself on its error pages, the others nowhere. */
const names: Readonly<Record<string, string>> = {
  nginx: softwareNames.nginx,
  apache: softwareNames.apache,
  caddy: softwareNames.caddy,
  lighttpd: softwareNames.lighttpd,
};

/** The files that the page names. */
async function prepare(): Promise<Ground> {
  const resources = openResources();
  onTestFinished(() => resources.end());
  const certificates = createMatrixCertificates();
  const folder = resources.folder();
  const { certificate, intermediates, privateKey } = certificates.servers.sound;
  folder.write('server.pem', certificate + intermediates);
  folder.write('intermediates.pem', intermediates);
  folder.write('server.key', privateKey);
  folder.write('server-and-key.pem', certificate + intermediates + privateKey);
  folder.write('platform-root.pem', certificates.platformRoot);
  const place = { folder: folder.path, port: await freePort(), behind: await plainApi(resources) };
  return { resources, certificates, folder, place };
}

describe.each(Object.entries(configurations))('the configuration in %s', (language, configuration) => {
  const missing = missingFor(configuration);

  it.skipIf(missing)(
    `accepts only the platform${missing ? ` (needs ${missing})` : ''}`,
    async () => {
      const { resources, certificates, folder, place } = await prepare();
      await configuration.start(place, folder, resources);
      const client = createMatrixClient(resources);
      const url = `https://localhost:${place.port}/`;
      for (const maxTlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const [caller, issued] of Object.entries({
          platform: certificates.clients.rsa,
          other: certificates.clients.stranger,
        })) {
          const name = `${caller}-${maxTlsVersion}`.toLowerCase().replace('.', '-');
          const roots = { serverRoots: certificates.customerRoots, minTlsVersion: 'TLSv1.2', maxTlsVersion } as const;
          const destination = {
            host: 'localhost',
            port: place.port,
            network: 'loopback',
            requireMutual: true,
            ...roots,
          } as const;
          client.identities.set(name, identityOf(name, issued, destination));
        }
        const version = maxTlsVersion.toLowerCase().replace('.', '-');
        expect(await client.invoke(`platform-${version}`, { url })).toBe('200');
        const granted = await client.report(`platform-${version}`, { url });
        expect(granted).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
        expect(granted.server?.software).toBe(names[language]);
        // A customer who follows the page gets no remedies.
        expect(granted.steps[2]).toMatchObject({ status: 'passed', findings: [] });
        expect(granted.remedies.filter(({ who }) => who === 'customer')).toEqual([]);
        expect(await client.diagnose(`other-${version}`, { url })).toMatchObject({
          verdict: 'access-refused',
          step: '5',
        });
        expect(await client.invoke(`other-${version}`, { url })).toMatch(
          /^client-certificate-rejected|^400 with advice$/,
        );
      }
    },
    60_000,
  );
});

describe('docs/customers.md', () => {
  it('has no configuration that is not tried', () => {
    expect(languages.filter((name) => name !== 'sh').toSorted()).toEqual(Object.keys(configurations).toSorted());
  });

  const missing = missingFor({ needs: ['nginx'] });
  it.skipIf(missing)(`its commands show what they should${missing ? ` (needs ${missing})` : ''}`, async () => {
    const { resources, certificates, folder, place } = await prepare();
    await configurations.nginx?.start(place, folder, resources);
    const [fingerprint = '', , , ask = ''] = blocksOf('sh');
    const shell = (command: string) => execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8', stdio: 'pipe' });
    const { fingerprint256 } = new X509Certificate(certificates.platformRoot);
    expect(shell(localize(fingerprint, place, 'openssl', programOf('openssl')))).toContain(fingerprint256);
    const asked = shell(localize(ask, place, ':443', `:${place.port}`));
    expect(asked).toMatch(/Acceptable client certificate CA names\n.*Platform Root/);
  });
});
