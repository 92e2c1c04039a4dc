// Checks of an API over HTTP: whether it answers, whether it accepts the caller, and its clock.
import { CommanderError } from 'commander';
import * as v from 'valibot';
import { limits } from '../../core/settings.ts';
import { parseBoundedJson } from '../api/answers.ts';
import type { Api, ApiAnswer, HttpApi } from '../api/api.ts';
import type { Check } from './check.ts';

const unanswered = 'Check the URL of --api, whether the API runs, and whether the firewall allows the connection.';
const problem = v.looseObject({ code: v.string(), detail: v.string(), hint: v.optional(v.string()) });

/** `now` in milliseconds since 1970. */
export async function checkApi(api: HttpApi, identity: string, now: () => number): Promise<Check[]> {
  const timeoutMs = limits.defaultTimeoutMs;
  try {
    const askedAt = now();
    const health = await api.ask({ route: 'health', timeoutMs });
    const answeredAt = now();
    const isWell = health.status === 200 && json(health)?.status === 'ok';
    const date = health.headers.date;
    const compared: Compared | undefined = typeof date === 'string' ? { date, askedAt, answeredAt } : undefined;
    const clock = checkClock(compared, api.place.replace(/^The/, 'the'));
    if (!isWell) return [failed(api, health), clock];
    const answered: Check = { check: 'api', status: 'ok', detail: `${api.place} answers` };
    return [
      answered,
      identityAccess(api, identity, await api.ask({ route: 'certificate', identity, timeoutMs })),
      clock,
    ];
  } catch (thrown) {
    if (!(thrown instanceof CommanderError) || thrown.code === 'usage') throw thrown;
    return [{ check: 'api', status: 'failure', detail: thrown.message, remedy: unanswered }];
  }
}

function identityAccess(api: Api, identity: string, answer: ApiAnswer): Check {
  if (answer.status === 200)
    return { check: 'api', status: 'ok', detail: `the caller can use the identity ${identity}` };
  const read = v.safeParse(problem, json(answer));
  if (!read.success) return failed(api, answer);
  const { code, detail, hint } = read.output;
  const isOther = code === 'identity-not-found';
  return {
    check: 'api',
    subject: identity,
    status: isOther ? 'warning' : 'failure',
    detail,
    ...(hint === undefined ? {} : { remedy: isOther ? 'Name another identity with --identity.' : hint }),
  };
}

function failed({ place }: Api, { status }: ApiAnswer): Check {
  return {
    check: 'api',
    status: 'failure',
    detail: `${place} responds with HTTP ${status} and not with a response of Countersign`,
    remedy: 'Check the URL of --api, the credentials and their permissions.',
  };
}

function json({ body }: ApiAnswer): Record<string, unknown> | undefined {
  try {
    const value: unknown = parseBoundedJson(body);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** AWS refuses signatures beyond it (AWS: IAM User Guide, "Troubleshoot Signature Version 4 requests"). */
const refusedMs = 300_000;
const warnMs = 30_000;

export interface Compared {
  /** The Date header of the answer. */
  readonly date: string;
  /** By this clock, in milliseconds since 1970: when the request was sent, and when the answer came. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** A Date header has whole seconds, so the result is right to a second and the time of the request. */
export function checkClock(compared: Compared | undefined, withWhom: string): Check {
  const theirs = compared && Date.parse(compared.date);
  if (compared === undefined || theirs === undefined || Number.isNaN(theirs)) {
    return { check: 'clock', status: 'skipped', detail: `${withWhom} sent no Date header` };
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

/** Sends ListSecrets to the Secrets Manager of the environment. A refusal has a Date header too. */
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
  // The check of the store reports the answer.
  await client.send(new ListSecretsCommand({ MaxResults: 1 })).catch(() => undefined);
  client.destroy();
  return found;
}
