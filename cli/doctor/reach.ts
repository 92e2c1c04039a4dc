// Whether each destination with one host can be reached: its name, TCP and the handshake, by a diagnosis that sends no request.

import type { Diagnosis, Verdict } from '../../core/diagnosis/diagnosis.ts';
import { platformIdentity } from '../../core/settings.ts';
import type { Api } from '../api/api.ts';
import type { Check, CheckStatus } from './check.ts';
import { counted, type ReachableFrom } from './identities.ts';

/** In milliseconds, for each. */
const patienceMs = 5_000;
const atOnce = 8;
const maxDestinations = 100;

export async function checkDestinations(api: Api, all: readonly ReachableFrom[]): Promise<Check[]> {
  const some = all.slice(0, maxDestinations);
  const checks: Check[] = new Array(some.length);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < some.length; index = next++) {
      checks[index] = await checkOne(api, some[index] as ReachableFrom);
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
  'not-mutual': 'handshake done, and it did not ask for the client certificate',
  'server-not-trusted': 'it is not trusted',
  unreachable: 'no TLS connection can be made',
  'identity-unusable': 'the identity cannot be used',
};

const named = 'customer: Add our authority to those that the server accepts (countersign identity trust-pack).';

async function checkOne(api: Api, { identity, destination }: ReachableFrom): Promise<Check> {
  const { host, port } = destination;
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const subject = `${url} as ${identity}`;
  const result = await api.diagnose(identity, { url, probe: false, timeoutMs: patienceMs });
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
  // Servers that complete every handshake and refuse in HTTP are told apart by a request alone.
  const unasked = `no request was sent; run countersign diagnose ${url}${identity === platformIdentity ? '' : ` --identity ${identity}`}`;
  const status = statusOf(result.answer, destination);
  if (status === 'ok') {
    const facts = [details[verdict], server?.protocol, `${totalMs.toFixed(0)} ms`].filter(Boolean).join(', ');
    return { check: 'destination', subject, status, detail: `${facts}; ${unasked}` };
  }
  const isGranted = verdict === 'access-granted';
  // That of the diagnosis is for a server that was asked and let us in.
  const remedy = isGranted ? named : remedyOf(result.answer);
  const why = [details[verdict], findingOf(result.answer)].filter(Boolean).join(': ');
  return {
    check: 'destination',
    subject,
    status,
    detail: isGranted ? `${why.replace(/\.$/, '')}; ${unasked}` : why,
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function statusOf({ verdict, client }: Diagnosis, { requireMutual }: ReachableFrom['destination']): CheckStatus {
  // It may let everybody in at the handshake, and refuse each call in HTTP, as nginx does.
  if (verdict === 'access-granted') return client?.issuerAccepted === false ? 'warning' : 'ok';
  // Where the destination demands it, every call ends there.
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
