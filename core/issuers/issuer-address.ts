// Where an issuer may be: anywhere the platform has one, its own machine included, but never where a cloud keeps its credentials.
import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isAllowed } from '../destination/address.ts';
import type { CountersignError } from '../errors.ts';
import { settingUnusable } from '../identity/unusable.ts';

type Resolve = (
  host: string,
  options: { readonly all: true; readonly order: 'verbatim' },
  callback: (error: Error | null, found: LookupAddress[]) => void,
) => void;

/** Throws `renewal-unusable` for an address that no issuer has; names are left to `issuerLookup`. */
export function checkIssuerHost(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isIssuerAddress(host)) throw forbidden();
}

/** For node:https. A name that has one such address among others fails as a whole, with `renewal-unusable`. */
export function issuerLookup(resolve: Resolve = lookup): LookupFunction {
  return (host, { all }, callback) => {
    resolve(host, { all: true, order: 'verbatim' }, (error, found) => {
      const [first] = found ?? [];
      if (error || first === undefined) return callback(error ?? notFound(), []);
      if (found.some(({ address }) => !isIssuerAddress(address))) return callback(forbidden(), []);
      return all ? callback(null, found) : callback(null, first.address, first.family);
    });
  };
}

/** Of the classes of destinations all but `forbidden`: link-local, metadata, reserved, multicast. */
function isIssuerAddress(address: string): boolean {
  return isAllowed(address, 'loopback');
}

function forbidden(): CountersignError {
  return settingUnusable(
    'renewal: issuer.url leads to an address that no issuer has: link-local, metadata or reserved.',
  );
}

function notFound(): Error {
  return Object.assign(new Error('No address.'), { code: 'ENOTFOUND' });
}
