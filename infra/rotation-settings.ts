// The rotations of the settings: identities with a schedule, and the first renewal of each.
import { identityNamePattern } from '../core/settings.ts';
import { checkRules } from '../core/versions/rotation-schedule.ts';

export interface RotationSetting {
  readonly identity: string;
  /** `rate(30 days)` or `cron(0 3 1 * ? *)` (Secrets Manager user guide, "Schedule expressions"). */
  readonly schedule: string;
  /**
   * How long after the schedule's time the rotation may begin: `1h` to `24h`. Absent: the day (UTC), or for hours the
   * hour.
   */
  readonly window: string | undefined;
  /** The `renewal` of docs/identities.md, until the identity document has one of its own. */
  readonly renewal: Readonly<Record<string, unknown>> | undefined;
}

/** Lambda allows 4 KB for all variables of a function (AWS Lambda quotas); this leaves room for the others. */
const maxRenewalBytes = 3_000;

/**
 * A list, or its JSON text from the command line. Throws an Error that names the setting and what it may be.
 * @param prefix goes before the names of settings in messages: `countersign:`, or nothing for props of the construct
 * @param now milliseconds since 1970
 */
export function readRotations(
  value: unknown,
  privateAuthorities: readonly string[],
  prefix: string,
  now: number,
): readonly RotationSetting[] {
  const key = `${prefix}rotations`;
  const listed = listOrJson(value, key);
  if (!Array.isArray(listed)) throw new Error(`${key} must be a list of {identity, schedule, window, renewal}.`);
  const settings = listed.map((entry) => rotation(entry, { key, prefix, privateAuthorities, now }));
  if (new Set(settings.map(({ identity }) => identity)).size !== settings.length) {
    throw new Error(`${key} may name an identity once.`);
  }
  if (Buffer.byteLength(JSON.stringify(renewalsOf(settings))) > maxRenewalBytes) {
    throw new Error(
      `${key} may hold ${maxRenewalBytes} bytes of renewals; put longer ones into the identity documents.`,
    );
  }
  return settings;
}

/** By identity, as COUNTERSIGN_RENEWALS has them. */
export function renewalsOf(settings: readonly RotationSetting[]): Readonly<Record<string, object>> {
  return Object.fromEntries(settings.flatMap(({ identity, renewal }) => (renewal ? [[identity, renewal]] : [])));
}

/** Absent and empty text are an empty list. */
export function listOrJson(value: unknown, key: string): unknown {
  if (value === undefined || value === null || value === '') return [];
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw new Error(`${key} must be JSON on the command line.`);
  }
}

interface Rules {
  /** Name of the setting in messages. */
  readonly key: string;
  readonly prefix: string;
  readonly privateAuthorities: readonly string[];
  readonly now: number;
}

function rotation(entry: unknown, rules: Rules): RotationSetting {
  const { key } = rules;
  if (!isObject(entry)) throw new Error(`${key} must be a list of {identity, schedule, window, renewal}.`);
  const { identity, schedule, window, renewal, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`${key} has no "${other}"; there are identity, schedule, window, renewal.`);
  if (typeof identity !== 'string' || !identityNamePattern.test(identity)) {
    throw new Error(`${key}: identity must be lower case letters, digits and hyphens, at most 63.`);
  }
  if (typeof schedule !== 'string') {
    throw new Error(`${key}: schedule of ${identity} must be text, for example rate(30 days) or cron(0 3 1 * ? *).`);
  }
  if (window !== undefined && typeof window !== 'string') {
    throw new Error(`${key}: window of ${identity} must be text, from 1h to 24h.`);
  }
  checkSchedule({ identity, schedule, window }, rules);
  checkRenewal(identity, renewal, rules);
  return { identity, schedule, window, renewal: renewal as RotationSetting['renewal'] };
}

/** Secrets Manager would refuse such a schedule during the deployment. */
function checkSchedule({ identity, schedule, window }: Omit<RotationSetting, 'renewal'>, { key, now }: Rules): void {
  const rotationRules = { ScheduleExpression: schedule, ...(window === undefined ? {} : { Duration: window }) };
  try {
    checkRules(rotationRules, now);
  } catch (thrown) {
    throw new Error(`${key}: schedule or window of ${identity}: ${(thrown as Error).message}`, { cause: thrown });
  }
}

/** The function validates the rest; this rejects what must not be deployed. */
function checkRenewal(identity: string, renewal: unknown, { key, prefix, privateAuthorities }: Rules): void {
  if (renewal === undefined) return;
  const issuer = isObject(renewal) ? renewal.issuer : undefined;
  if (!isObject(issuer) || typeof issuer.kind !== 'string') {
    throw new Error(`${key}: renewal of ${identity} must have an issuer with a kind.`);
  }
  const secret = Object.entries(issuer).find(isSecret)?.[0];
  if (secret !== undefined) {
    throw new Error(
      `${key}: ${secret} of ${identity} would be readable in the template and in the console; put it into the identity document.`,
    );
  }
  const authority = issuer.certificateAuthorityArn;
  if (issuer.kind === 'aws-private-ca' && !privateAuthorities.includes(String(authority))) {
    throw new Error(`${key}: the authority of ${identity} must be in ${prefix}privateCas as well.`);
  }
}

/**
 * By its name (also a misspelled one, which the function would find only after the deployment), or by its value:
 * credentials in a URL, a private key among certificates.
 */
function isSecret([name, value]: [string, unknown]): boolean {
  if (/pass|secret|token|key$/i.test(name)) return true;
  return typeof value === 'string' && /^[a-z]+:\/\/[^/?#]*@|PRIVATE KEY/i.test(value);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
