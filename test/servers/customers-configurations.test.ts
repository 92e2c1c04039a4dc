// docs/customers.md: each configuration on it lets the platform in over TLS 1.2 and 1.3, and nobody else.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { softwareNames } from '../../core/diagnosis/software.ts';
import { freePort } from '../support/port.ts';
import { blocksOf, languages, localize, type Place } from './blocks.ts';
import { type Cast, identityOf, makeCast } from './cast.ts';
import { configurations } from './configurations.ts';
import { openDesk } from './desk.ts';
import { missingFor, programOf } from './listener.ts';
import { plainApi } from './plain-api.ts';
import { type Folder, openScope, type Scope } from './scope.ts';

interface Ground {
  readonly scope: Scope;
  readonly cast: Cast;
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
  const scope = openScope();
  onTestFinished(() => scope.end());
  const cast = makeCast(scope);
  const folder = scope.folder();
  const { certificate, intermediates, privateKey } = cast.servers.sound;
  folder.write('server.pem', certificate + intermediates);
  folder.write('intermediates.pem', intermediates);
  folder.write('server.key', privateKey);
  folder.write('server-and-key.pem', certificate + intermediates + privateKey);
  folder.write('platform-root.pem', cast.platformRoot);
  const place = { folder: folder.path, port: await freePort(), behind: await plainApi(scope) };
  return { scope, cast, folder, place };
}

describe.each(Object.entries(configurations))('the configuration in %s', (language, configuration) => {
  const missing = missingFor(configuration);

  it.skipIf(missing)(
    `lets the platform in and nobody else${missing ? ` (needs ${missing})` : ''}`,
    async () => {
      const { scope, cast, folder, place } = await prepare();
      await configuration.start(place, folder, scope);
      const desk = openDesk(scope);
      const url = `https://localhost:${place.port}/`;
      for (const maxTlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const [client, issued] of Object.entries({ ours: cast.clients.rsa, other: cast.clients.stranger })) {
          const name = `${client}-${maxTlsVersion}`.toLowerCase().replace('.', '-');
          const roots = { serverRoots: cast.customerRoots, minTlsVersion: 'TLSv1.2', maxTlsVersion } as const;
          const destination = {
            host: 'localhost',
            port: place.port,
            network: 'loopback',
            requireMutual: true,
            ...roots,
          } as const;
          desk.identities.set(name, identityOf(name, issued, destination));
        }
        const version = maxTlsVersion.toLowerCase().replace('.', '-');
        expect(await desk.invoke(`ours-${version}`, { url })).toBe('200');
        const granted = await desk.report(`ours-${version}`, { url });
        expect(granted).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
        expect(granted.server?.software).toBe(names[language]);
        // Whoever follows the page is not told to change anything.
        expect(granted.steps[2]).toMatchObject({ status: 'passed', findings: [] });
        expect(granted.remedies.filter(({ who }) => who === 'customer')).toEqual([]);
        expect(await desk.diagnose(`other-${version}`, { url })).toMatchObject({
          verdict: 'access-refused',
          step: '5',
        });
        expect(await desk.invoke(`other-${version}`, { url })).toMatch(
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
    const { scope, cast, folder, place } = await prepare();
    await configurations.nginx?.start(place, folder, scope);
    const [fingerprint = '', , , ask = ''] = blocksOf('sh');
    const shell = (command: string) => execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8', stdio: 'pipe' });
    const { fingerprint256 } = new X509Certificate(cast.platformRoot);
    expect(shell(localize(fingerprint, place, 'openssl', programOf('openssl')))).toContain(fingerprint256);
    const asked = shell(localize(ask, place, ':443', `:${place.port}`));
    expect(asked).toMatch(/Acceptable client certificate CA names\n.*Platform Root/);
  });
});
