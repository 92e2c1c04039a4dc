// Checks each identity of a store, and by a diagnosis without a request each destination that is a single host.
import { CommanderError } from 'commander';
import type { Destination } from '../../core/destination/destination.ts';
import type { Diagnosis, Verdict } from '../../core/diagnosis/diagnosis.ts';
import { asCountersignError } from '../../core/errors.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import { platformIdentity } from '../../core/settings.ts';
import { expirySoonDays } from '../../core/x509/certificate.ts';
import type { Api } from '../api/api.ts';
import { serverRootWarnings } from '../identity/server-roots.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import type { Check, CheckStatus } from './check.ts';

export interface ReachableFrom {
  readonly identity: string;
  readonly destination: Destination;
}

const dayMs = 86_400_000;
const maxIdentities = 1_000;
const atOnce = 8;

export interface CheckedIdentities {
  readonly checks: readonly Check[];
  /** Destinations with a single host, of usable identities. */
  readonly exact: readonly ReachableFrom[];
}

/** `now` in milliseconds since 1970. */
export async function checkIdentities(store: IdentityStore, now: number): Promise<CheckedIdentities> {
  let names: readonly string[];
  try {
    names = await store.names();
  } catch (thrown) {
    // The directory cannot be listed.
    if (thrown instanceof CommanderError) {
      const remedy = 'Give this user or one of its groups access, or run the command as a user who can read it.';
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
          remedy: 'Import one: countersign identity import (docs/on-premises.md, docs/import.md).',
        },
  ];
  const exact: ReachableFrom[] = [];
  for (let first = 0; first < Math.min(names.length, maxIdentities); first += atOnce) {
    const some = names.slice(first, Math.min(first + atOnce, maxIdentities));
    for (const checked of await Promise.all(some.map((name) => checkStored(store, name, now)))) {
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

async function checkStored(store: IdentityStore, name: string, now: number): Promise<CheckedIdentities> {
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
      const remedy =
        'If it waits for its certificate: countersign identity complete. Otherwise import it, or remove it.';
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
      const remedy = `List its destinations: countersign identity destinations ${name} set`;
      checks.push(one('warning', 'can be presented to any host', remedy));
    }
    for (const { sentence, remedy, isFailure } of serverRootWarnings(destinations, now)) {
      checks.push(one(isFailure ? 'failure' : 'warning', sentence.replace(/\.$/, ''), remedy));
    }
    const exact = destinations.filter(({ host }) => !host.includes('*'));
    return { checks, exact: exact.map((destination) => ({ identity: name, destination })) };
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw thrown;
    const where = error.evidence?.where;
    const remedy = error.code === 'identity-unusable' ? `Replace it: ${importCommand(name)}` : error.hint;
    return { checks: [one('failure', `${where ? `${where}: ` : ''}${error.message}`, remedy)], exact: [] };
  }
}

function importCommand(name: string): string {
  return `countersign identity import ${name} FILES --replace, or csr and complete. docs/identities.md lists what is checked.`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** For each destination. */
const timeoutMs = 5_000;
const maxDestinations = 100;

export async function checkDestinations(api: Api, all: readonly ReachableFrom[]): Promise<Check[]> {
  const some = all.slice(0, maxDestinations);
  const checks: Check[] = new Array(some.length);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < some.length; index = next++) {
      checks[index] = await checkDestination(api, some[index] as ReachableFrom);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, some.length) }, work));
  if (all.length > maxDestinations) {
    const rest = counted(all.length - maxDestinations, 'further destination');
    checks.push({
      check: 'destination',
      status: 'skipped',
      detail: rest,
      remedy: 'Diagnose them: countersign diagnose',
    });
  }
  return checks;
}

const details: Readonly<Record<Verdict, string>> = {
  'access-granted': 'handshake done',
  'access-refused': 'it refuses the client certificate',
  'access-unknown': 'handshake done, and the server neither accepted nor refused the certificate',
  'not-mutual': 'handshake done, and it did not ask for the client certificate',
  'server-not-trusted': 'it is not trusted',
  unreachable: 'no TLS connection can be made',
  'identity-unusable': 'the identity cannot be used',
};

const named = 'customer: Add our authority to the client CAs of the server (countersign identity trust-pack).';

async function checkDestination(api: Api, { identity, destination }: ReachableFrom): Promise<Check> {
  const { host, port } = destination;
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const subject = `${url} as ${identity}`;
  const result = await api.diagnose(identity, { url, probe: false, timeoutMs });
  if ('problem' in result) {
    const { detail, hint } = result.problem;
    return {
      check: 'destination',
      subject,
      status: 'failure',
      detail,
      ...(hint === undefined ? {} : { remedy: hint }),
    };
  }
  const { verdict, totalMs, server } = result.answer;
  // Only a request would show a server that completes every handshake and refuses in HTTP.
  const unasked = `no request was sent; run countersign diagnose ${url}${identity === platformIdentity ? '' : ` --identity ${identity}`}`;
  const status = statusOf(result.answer, destination);
  if (status === 'ok') {
    const facts = [details[verdict], server?.protocol, `${totalMs.toFixed(0)} ms`].filter(Boolean).join(', ');
    return { check: 'destination', subject, status, detail: `${facts}; ${unasked}` };
  }
  const isGranted = verdict === 'access-granted';
  const isOpen = isGranted || (verdict === 'access-unknown' && status === 'warning');
  // The diagnosis has its remedy for a server that accepted a request.
  const remedy = isGranted ? named : remedyOf(result.answer);
  const why = [details[verdict], findingOf(result.answer)].filter(Boolean).join(': ');
  return {
    check: 'destination',
    subject,
    status,
    detail: isOpen ? `${why.replace(/\.$/, '')}; ${unasked}` : why,
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function statusOf({ verdict, client, steps }: Diagnosis, { requireMutual }: ReachableFrom['destination']): CheckStatus {
  // A server like nginx can accept every client in the handshake and refuse each request in HTTP.
  if (verdict === 'access-granted') return client?.issuerAccepted === false ? 'warning' : 'ok';
  // A server that sends no ticket says nothing without a request; one whose verification hangs fails every call.
  if (verdict === 'access-unknown') return steps.at(-1)?.status === 'failed' ? 'failure' : 'warning';
  // With requireMutual every call fails there.
  return verdict === 'not-mutual' && !requireMutual ? 'warning' : 'failure';
}

function findingOf({ steps }: Diagnosis): string | undefined {
  const findings = steps.flatMap((step) => step.findings);
  return (
    findings.find(({ severity }) => severity === 'failure') ?? findings.find(({ severity }) => severity === 'warning')
  )?.detail;
}

function remedyOf({ remedies }: Diagnosis): string | undefined {
  const [first] = remedies;
  return first && `${first.who}: ${first.do}`;
}
