// Each identity of a store: whether it can be used, for how long, and where it may go.

import { CommanderError } from 'commander';
import type { Destination } from '../../core/destination/destination.ts';
import { asCountersignError } from '../../core/errors.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import { expirySoonDays } from '../../core/x509/certificate.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import type { Check } from './check.ts';

export interface ReachableFrom {
  readonly identity: string;
  readonly destination: Destination;
}

const dayMs = 86_400_000;
const maxIdentities = 1_000;
const atOnce = 8;

export interface CheckedIdentities {
  readonly checks: readonly Check[];
  /** Of identities that can be used: destinations with one host. */
  readonly exact: readonly ReachableFrom[];
}

/** `now` in milliseconds since 1970. */
export async function checkIdentities(store: IdentityStore, now: number): Promise<CheckedIdentities> {
  let names: readonly string[];
  try {
    names = await store.names();
  } catch (thrown) {
    // Of a directory that this user may not list.
    if (thrown instanceof CommanderError) {
      const remedy = 'Give it to this user or to a group of his, or run this as one who may read it.';
      return { checks: [{ check: 'store', status: 'failure', detail: thrown.message, remedy }], exact: [] };
    }
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw thrown;
    return { checks: [{ check: 'store', status: 'failure', detail: error.message, remedy: error.hint }], exact: [] };
  }
  const checks: Check[] = [
    names.length > 0
      ? {
          check: 'store',
          status: 'ok',
          detail: `${store.place} has ${counted(names.length, 'identity', 'identities')}`,
        }
      : {
          check: 'store',
          status: 'failure',
          detail: `${store.place} has no identity`,
          remedy: 'Put one in: countersign identity import (docs/on-premises.md, docs/import.md).',
        },
  ];
  const exact: ReachableFrom[] = [];
  for (let first = 0; first < Math.min(names.length, maxIdentities); first += atOnce) {
    const some = names.slice(first, Math.min(first + atOnce, maxIdentities));
    for (const checked of await Promise.all(some.map((name) => checkOne(store, name, now)))) {
      checks.push(...checked.checks);
      exact.push(...checked.exact);
    }
  }
  if (names.length > maxIdentities) {
    checks.push({
      check: 'identity',
      status: 'skipped',
      detail: `the other ${names.length - maxIdentities} identities`,
    });
  }
  return { checks, exact };
}

async function checkOne(store: IdentityStore, name: string, now: number): Promise<CheckedIdentities> {
  const one = (status: Check['status'], detail: string, remedy?: string): Check => ({
    check: 'identity',
    subject: name,
    status,
    detail,
    ...(remedy === undefined ? {} : { remedy }),
  });
  try {
    const stored = await store.read(name, 'AWSCURRENT');
    if (stored === undefined) {
      const remedy = 'Where it waits for its certificate: countersign identity complete. Else import it, or remove it.';
      return { checks: [one('warning', 'has nothing in use yet', remedy)], exact: [] };
    }
    const { usableUntil, destinations } = checkIdentity(name, { ...stored, stage: 'AWSCURRENT' }, now);
    const days = Math.floor((usableUntil - now) / dayMs);
    const until = `can be used until ${new Date(usableUntil).toISOString().slice(0, 10)}, ${counted(days, 'day')}`;
    const checks = [
      days < expirySoonDays
        ? one('warning', until, 'Have the next certificate signed: countersign identity rotate, or csr and complete.')
        : one('ok', until),
    ];
    if (destinations.some(({ host }) => host === '*')) {
      const remedy = `List where it may go: countersign identity destinations ${name} set`;
      checks.push(one('warning', 'may be presented to any host', remedy));
    }
    const exact = destinations.filter(({ host }) => !host.includes('*'));
    return { checks, exact: exact.map((destination) => ({ identity: name, destination })) };
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw thrown;
    const where = error.evidence?.where;
    const remedy = error.code === 'identity-unusable' ? `Put a sound one in: ${wayIn(name)}` : error.hint;
    return { checks: [one('failure', `${where ? `${where}: ` : ''}${error.message}`, remedy)], exact: [] };
  }
}

function wayIn(name: string): string {
  return `countersign identity import ${name} FILES --replace, or csr and complete. docs/identities.md lists what is checked.`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
