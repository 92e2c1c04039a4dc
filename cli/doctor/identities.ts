// Checks each identity of a store, and by a diagnosis each destination that is a single host.
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
const unproven = ' If the server accepts ours as well, set a probe of the destination to prove it.';

/** Sends the probe of the destination; without one it sends no request. */
async function checkDestination(api: Api, { identity, destination }: ReachableFrom): Promise<Check> {
  const { host, port, probe } = destination;
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const subject = `${url} as ${identity}`;
  const result = await api.diagnose(identity, { url, ...(probe ? {} : { probe: false }), timeoutMs });
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
  const diagnosis = result.answer;
  const { verdict, totalMs, server } = diagnosis;
  const isGranted = verdict === 'access-granted';
  const as = identity === platformIdentity ? '' : ` --identity ${identity}`;
  const unasked = `no request was sent, so it is unknown whether a call succeeds; run countersign diagnose ${url}${as}`;
  const status = statusOf(diagnosis, destination);
  const isAnswered = status !== 'failure' && diagnosis.probe?.status !== undefined;
  if (status === 'ok') {
    const facts = [details[verdict], server?.protocol, `${totalMs.toFixed(0)} ms`].filter(Boolean).join(', ');
    return {
      check: 'destination',
      subject,
      status,
      isAnswered,
      detail: `${facts}; ${probe ? answerOf(diagnosis) : unasked}`,
    };
  }
  const isOpen = isGranted || (verdict === 'access-unknown' && status === 'warning');
  // For a server that granted access, the diagnosis has its remedy only after a request.
  const isUnnamed = isGranted && diagnosis.client?.issuerAccepted === false;
  const remedy = isUnnamed ? `${named}${probe ? '' : unproven}` : remedyOf(diagnosis);
  const why = [details[verdict], findingOf(diagnosis)].filter(Boolean).join(': ');
  return {
    check: 'destination',
    subject,
    status,
    isAnswered,
    detail: isOpen && !probe ? `${why.replace(/\.$/, '')}; ${unasked}` : why,
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function answerOf({ probe }: Diagnosis): string {
  return `${probe?.method} ${probe?.path.split('?')[0]} was answered with HTTP ${probe?.status}`;
}

/** A server like nginx can accept every client in the handshake and refuse each request in HTTP. */
function statusOf(diagnosis: Diagnosis, { requireMutual, probe }: ReachableFrom['destination']): CheckStatus {
  const { verdict, client, steps } = diagnosis;
  // A server that sends no ticket says nothing without a request; one whose verification hangs fails every call.
  if (verdict === 'access-unknown') return probe || steps.at(-1)?.status === 'failed' ? 'failure' : 'warning';
  // With requireMutual every call fails there.
  if (verdict === 'not-mutual' && !requireMutual) return 'warning';
  if (verdict !== 'access-granted') return 'failure';
  if (hasUnexpectedStatus(diagnosis)) return 'failure';
  // The response to the probe was not HTTP, or ended early, as that to a call does.
  if (probe && diagnosis.probe?.status === undefined) return 'failure';
  // A server that names other authorities refuses ours, unless an answer shows that it does not.
  if (client?.issuerAccepted === false) return probe ? 'warning' : 'failure';
  return 'ok';
}

function hasUnexpectedStatus({ steps }: Diagnosis): boolean {
  return steps.some(({ findings }) => findings.some(({ code }) => code === 'probe-unexpected-status'));
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
