// The url of an issuer may be private and on loopback; link-local and metadata addresses are refused, by number and by
// name.
import type { LookupAddress } from 'node:dns';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { estIssuer } from '../../../core/issuers/est.ts';
import { issuerLookup } from '../../../core/issuers/https-client.ts';
import { stepCaIssuer } from '../../../core/issuers/step-ca.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { orderOf } from '../../support/issuers/orders.ts';

vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (_host: string, _options: object, callback: (error: null, found: LookupAddress[]) => void) =>
    callback(null, [{ address: '169.254.169.254', family: 4 }]),
}));

const roots = createAuthority({ commonName: 'Root' }).certificate;
const forbidden = { code: 'renewal-unusable', evidence: { reason: 'issuer-settings' } };

it.each([
  '169.254.169.254',
  '169.254.170.2:8443',
  '2852039166',
  '[fe80::1]',
  '[fd00:ec2::254]',
  '[::ffff:169.254.169.254]',
  '0.0.0.0',
])('https://%s is refused', async (host) => {
  const url = `https://${host}`;
  expect(await failureOf(() => estIssuer({ kind: 'est', url, roots }))).toMatchObject(forbidden);
  expect(await failureOf(() => stepCaIssuer({ kind: 'step-ca', url, roots }))).toMatchObject(forbidden);
});

it.each(['127.0.0.1:8443', '10.1.2.3', '[fd12::1]', '[::1]', '100.64.1.1', '198.41.0.4', 'ca.platform.example'])(
  'https://%s may be one',
  (host) => {
    expect(estIssuer({ kind: 'est', url: `https://${host}`, roots })).toHaveProperty('issue');
  },
);

const looked = (...addresses: string[]) => {
  const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return issuerLookup((_host, _options, callback) => callback(null, found));
};

it('a name is refused when one of its addresses is, and used when none is', async () => {
  const all = (...addresses: string[]) => promisify(looked(...addresses))('ca.platform.example', { all: true });
  expect(await all('10.1.2.3', 'fd12::1')).toEqual([
    { address: '10.1.2.3', family: 4 },
    { address: 'fd12::1', family: 6 },
  ]);
  expect(await failureOf(() => all('10.1.2.3', '169.254.169.254'))).toMatchObject(forbidden);
  expect(await failureOf(() => all('fd00:ec2::254'))).toMatchObject(forbidden);
  await expect(all()).rejects.toMatchObject({ code: 'ENOTFOUND' });
});

it('a name that leads there is asked for nothing', async () => {
  const order = await orderOf({ names: ['dns:bot.example'] });
  const issuer = estIssuer({ kind: 'est', url: 'https://metadata.example', roots });
  expect(await failureOf(() => issuer.issue(order))).toMatchObject(forbidden);
});
