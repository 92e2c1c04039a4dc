// An API over HTTP: whether it answers, whether it knows who asks, and what time it is there.
import { CommanderError } from 'commander';
import * as v from 'valibot';
import { limits } from '../../core/settings.ts';
import type { Api, ApiAnswer, HttpApi } from '../api/api.ts';
import { parsed } from '../api/parsed.ts';
import type { Check } from './check.ts';
import { type Compared, checkClock } from './clock.ts';

const unanswered = 'Check the URL of --api, whether it runs, and whether the firewall lets this machine through.';
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
    return [answered, knownBy(api, identity, await api.ask({ route: 'certificate', identity, timeoutMs })), clock];
  } catch (thrown) {
    if (!(thrown instanceof CommanderError) || thrown.code === 'usage') throw thrown;
    return [{ check: 'api', status: 'failure', detail: thrown.message, remedy: unanswered }];
  }
}

function knownBy(api: Api, identity: string, answer: ApiAnswer): Check {
  if (answer.status === 200)
    return { check: 'api', status: 'ok', detail: `the caller may use the identity ${identity}` };
  const read = v.safeParse(problem, json(answer));
  if (!read.success) return failed(api, answer);
  const { code, detail, hint } = read.output;
  const isOther = code === 'identity-not-found';
  return {
    check: 'api',
    subject: identity,
    status: isOther ? 'warning' : 'failure',
    detail,
    ...(hint === undefined ? {} : { remedy: isOther ? 'Name another with --identity.' : hint }),
  };
}

function failed({ place }: Api, { status }: ApiAnswer): Check {
  return {
    check: 'api',
    status: 'failure',
    detail: `${place} answers with HTTP ${status} and nothing of Countersign's`,
    remedy: 'Check the URL of --api, the credentials, and what they are allowed.',
  };
}

function json({ body }: ApiAnswer): Record<string, unknown> | undefined {
  try {
    const value: unknown = parsed(body);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
