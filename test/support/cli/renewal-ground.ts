// For the tests of `countersign identity renew`: a directory with an identity of an EST server, at a customer's nginx.
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { checkIdentity } from '../../../core/identity/check.ts';
import { directorySource } from '../../../core/identity/directory.ts';
import type { Identity, Stage } from '../../../core/identity/identity.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { type EstServer, type EstServerOptions, startEstServer } from '../issuers/est-server.ts';
import { authorities, day, type Ground, ground, issue } from './identity-ground.ts';

export const customerCertificate = authorities.customerRoot.issue({
  commonName: 'api',
  names: ['localhost'],
  usage: 'server',
});

/** At a server on loopback with `customerCertificate`, tested by a request. */
export function destinationOn(port: number): object {
  const serverRoots = authorities.customerRoot.certificate;
  return { host: 'localhost', port, network: 'loopback', serverRoots, probe: { path: '/' } };
}

/** Of 90 days, 80 of which have passed: due by the default rule. */
export const old = () => ({ notBefore: new Date(Date.now() - 80 * day), notAfter: new Date(Date.now() + 10 * day) });

export interface RenewalGround extends Ground {
  readonly est: EstServer;
  /** Requests that the server signed, or was asked to. */
  enrolments(): number;
  /** Writes the `renewal` of an identity by hand. */
  setRenewal(name: string, renewal: object): void;
  /** An identity that the EST server issued, with its renewal. */
  putRenewed(name: string, destinations: readonly object[], more?: object): IssuedCertificate;
  /** As the service reads it, checked. */
  at(name: string, stage?: Stage): Promise<Identity>;
}

/** Gone with the test. */
export async function renewalGround(options: EstServerOptions = {}): Promise<RenewalGround> {
  const all = ground();
  const est = await startEstServer(options);
  const settings = { kind: 'est', url: est.url, roots: est.root.certificate };
  const setRenewal = (name: string, renewal: object) =>
    writeFileSync(join(all.directory, name, 'renewal.json'), JSON.stringify(renewal), { mode: 0o600 });
  return {
    ...all,
    est,
    enrolments: () => est.requests.filter(({ method }) => method === 'POST').length,
    setRenewal,
    putRenewed(name, destinations, more = {}) {
      const issued = issue(name, old(), est.issuer);
      all.put(name, issued, destinations);
      setRenewal(name, { issuer: settings, ...more });
      return issued;
    },
    async at(name, stage = 'AWSCURRENT') {
      return checkIdentity(name, await directorySource(all.directory).read(name, stage), Date.now());
    },
  };
}

/** One current version with another certificate than `before`, which is the previous one; nothing is left behind. */
export async function expectRenewed(renewal: RenewalGround, name: string, before: IssuedCertificate): Promise<void> {
  const [current, previous] = [await renewal.at(name), await renewal.at(name, 'AWSPREVIOUS')];
  expect(current.fingerprint256).not.toBe(previous.fingerprint256);
  expect(previous.fingerprint256).toBe(new X509Certificate(before.certificate).fingerprint256);
  await expect(renewal.at(name, 'AWSPENDING')).rejects.toMatchObject({ code: 'identity-not-found' });
  const folder = join(renewal.directory, name);
  expect(existsSync(join(renewal.directory, `.countersign/${name}.request.json`))).toBe(false);
  expect(readdirSync(join(folder, '..versions'))).toHaveLength(2);
  // A pending version that is in use counts as no pending one.
  const links = readdirSync(folder).filter((file) => file.startsWith('..') && file !== '..pending');
  expect(links.sort()).toEqual(['..data', '..previous', '..versions']);
}
