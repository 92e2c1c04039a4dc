// The clock of this machine against the Date header of whoever answers: an API, or Secrets Manager.
import type { Check } from './check.ts';

/** Beyond it AWS refuses signatures (AWS: IAM User Guide, "Troubleshoot Signature Version 4 requests"). In milliseconds. */
const refusedMs = 300_000;
const warnMs = 30_000;

export interface Compared {
  /** Of the answer. */
  readonly date: string;
  /** Milliseconds since 1970, by this clock: when it was asked for, and when it came. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** A Date has whole seconds, so what is told is right to a second and the way. */
export function checkClock(compared: Compared | undefined, withWhom: string): Check {
  const theirs = compared && Date.parse(compared.date);
  if (compared === undefined || theirs === undefined || Number.isNaN(theirs)) {
    return { check: 'clock', status: 'skipped', detail: `${withWhom} did not say what time it is there` };
  }
  const offset = (compared.askedAt + compared.answeredAt) / 2 - (theirs + 500);
  const size = Math.abs(offset);
  const seconds = Math.round(size / 1000);
  const detail =
    seconds <= 1 ? `agrees with ${withWhom}` : `${seconds} s ${offset > 0 ? 'ahead of' : 'behind'} ${withWhom}`;
  const remedy = 'Set the clock of this machine, and keep it set (timedatectl set-ntp true).';
  if (size > refusedMs) return { check: 'clock', status: 'failure', detail, remedy };
  return size > warnMs
    ? { check: 'clock', status: 'warning', detail, remedy }
    : { check: 'clock', status: 'ok', detail };
}

/** Secrets Manager as the environment names it, asked for one name of a secret; it says its time also when it refuses. */
export async function compareWithSecretsManager(now: () => number): Promise<Compared | undefined> {
  const { ListSecretsCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 5_000 },
  });
  let found: Compared | undefined;
  client.middlewareStack.add(
    (next) => async (args) => {
      const askedAt = now();
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      if (headers?.date) found = { date: headers.date, askedAt, answeredAt: now() };
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'date' },
  );
  // What it answers is the store's check to tell.
  await client.send(new ListSecretsCommand({ MaxResults: 1 })).catch(() => undefined);
  client.destroy();
  return found;
}
