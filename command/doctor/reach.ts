// Whether each destination with one host can be reached: its name, TCP and the handshake, by a diagnosis that sends no request.
import type { Diagnosis, Verdict } from '../../functions/diagnosis/diagnosis.ts';
import type { Api } from '../api/api.ts';
import { askDiagnosis } from '../api/ask.ts';
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

const statuses: Partial<Record<Verdict, CheckStatus>> = { 'access-granted': 'ok', 'not-mutual': 'warning' };

const details: Readonly<Record<Verdict, string>> = {
  'access-granted': 'handshake done',
  'access-refused': 'it refuses the client certificate',
  'not-mutual': 'handshake done, and it did not ask for the client certificate',
  'server-not-trusted': 'it is not trusted',
  unreachable: 'no TLS connection can be made',
  'identity-unusable': 'the identity cannot be used',
};

async function checkOne(api: Api, { identity, destination: { host, port } }: ReachableFrom): Promise<Check> {
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const subject = `${url} as ${identity}`;
  const result = await askDiagnosis(api, identity, { url, probe: false, timeoutMs: patienceMs });
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
  const status = statuses[verdict] ?? 'failure';
  if (status === 'ok') {
    const facts = [details[verdict], server?.protocol, `${totalMs.toFixed(0)} ms`].filter(Boolean).join(', ');
    return { check: 'destination', subject, status, detail: facts };
  }
  const remedy = remedyOf(result.answer);
  return {
    check: 'destination',
    subject,
    status,
    detail: [details[verdict], findingOf(result.answer)].filter(Boolean).join(': '),
    ...(remedy === undefined ? {} : { remedy }),
  };
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
