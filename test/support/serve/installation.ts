// Shared by tests of `serve`: CAs, a customer's API, a folder with two identities, and callers.
import { createHash, randomBytes } from 'node:crypto';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { type CustomerApi, startApi } from '../connections/customer-api.ts';
import { type Folder, privateFolder } from '../program.ts';
import { type Authorities, createAuthorities } from '../stage.ts';
import { writeIdentity } from './serving.ts';

export const authorities = createAuthorities();
export const callersAuthority = createAuthority({ commonName: 'Callers Root' });
export const serverAuthority = createAuthority({ commonName: 'Server Root' });

export interface Surroundings {
  readonly authorities: Authorities;
  readonly api: CustomerApi;
  /** `https://localhost:…/` of the customer's API. */
  readonly target: string;
  readonly folder: Folder;
  /** Of identities: `platform` and `acme`. */
  readonly identities: string;
  readonly destinations: readonly object[];
}

/** Removed after the test. */
export async function surroundings(): Promise<Surroundings> {
  const api = await startApi(authorities);
  const folder = privateFolder();
  const identities = `${folder.path}/identities`;
  const destinations = [
    { host: 'localhost', port: api.port, network: 'loopback', serverRoots: authorities.customerRoot.certificate },
  ];
  for (const name of ['platform', 'acme']) writeIdentity(identities, name, newIdentity(name), destinations);
  return { authorities, api, target: `https://localhost:${api.port}/`, folder, identities, destinations };
}

export function newIdentity(commonName = 'platform'): IssuedCertificate {
  return authorities.platformIssuer.issue({ commonName, usage: 'client' });
}

export function newServerCertificate(): IssuedCertificate {
  return serverAuthority.issue({ commonName: 'countersign', names: ['localhost', '127.0.0.1'], usage: 'server' });
}

export function newToken(): { token: string; tokenSha256: string } {
  const token = randomBytes(32).toString('base64url');
  return { token, tokenSha256: createHash('sha256').update(token).digest('hex') };
}
