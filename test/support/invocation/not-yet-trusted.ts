// A rotation that a customer has not followed: it trusts the authority of AWSPREVIOUS, not that of AWSCURRENT.
import { destinationAt, newServer } from '../connections/customer-api.ts';
import { newClient, openPlatform, type Platform, type Version } from '../connections/platform.ts';
import { startOpenssl } from '../openssl.ts';
import { createAuthorities, type StageOptions } from '../stage.ts';

/** Whom the customer trusts. */
export const authorities = createAuthorities();
/** Whose certificates it does not know yet. */
export const newcomers = createAuthorities();
export const versions = ['TLSv1.2', 'TLSv1.3'] as const;
export const clientRoots = authorities.platformRoot.certificate;

export const url = ({ port }: { readonly port: number }, path = '/') => `https://api.acme.example:${port}${path}`;

export interface Rotated {
  readonly platform: Platform;
  /** Of AWSCURRENT and AWSPREVIOUS, which are called v2 and v1. */
  readonly fingerprints: { readonly v2: string; readonly v1: string };
  /** Stages read so far, without the reads of AWSCURRENT. */
  othersRead(): readonly string[];
}

export interface RotatedOptions extends Partial<StageOptions> {
  readonly v2?: Partial<Version>;
  /** Null: no such version. */
  readonly v1?: Partial<Version> | null;
}

export function rotated(api: { readonly port: number }, { v2, v1, ...options }: RotatedOptions = {}): Rotated {
  const platform = openPlatform(authorities, options);
  const destinations = [destinationAt(api, authorities)];
  const fingerprints = {
    v2: platform.publish('v2', { client: newClient(newcomers), destinations, ...v2 }),
    v1: v1 === null ? '' : platform.publish('v1', { destinations, stage: 'AWSPREVIOUS', ...v1 }),
  };
  return {
    platform,
    fingerprints,
    othersRead: () => platform.shelf.stagesRead.filter((stage) => stage !== 'AWSCURRENT'),
  };
}

const flags = { 'TLSv1.2': '-tls1_2', 'TLSv1.3': '-tls1_3' };

/** Rejects by an alert. Without its page it answers what is written to its standard input. */
export function alertingApi(version: (typeof versions)[number], page = true) {
  return startOpenssl(newServer(authorities), { clientRoots, page, args: [flags[version]] });
}
