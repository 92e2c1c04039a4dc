// The identities that are rotated by themselves, as cdk.json names them: when, and how the first certificate is had.
import { identityNamePattern } from '../core/settings.ts';

export interface RotationSetting {
  readonly identity: string;
  /** `rate(30 days)` or `cron(0 3 1 * ? *)` (Secrets Manager user guide, "Schedule expressions"). */
  readonly schedule: string;
  /** How long after the schedule's time the rotation may begin: `1h` to `24h`. Absent: the day (UTC), or for hours the hour. */
  readonly window: string | undefined;
  /** The `renewal` of docs/identities.md, until the identity document has one of its own. */
  readonly renewal: Readonly<Record<string, unknown>> | undefined;
}

const key = 'countersign:rotations';

/** Four hours are the least, and a minute other than 0 is none: Secrets Manager would refuse them in the middle of a deployment. */
const scheduleForm = /^(?:rate\((?:[4-9]|[1-9]\d{1,2}) hours\)|rate\([1-9]\d{0,2} days?\)|cron\(0 [^()]{9,60}\))$/;

/** Lambda: 4 KB for all variables of a function (AWS Lambda quotas); the others take a part of it. */
const maxRenewalBytes = 3_000;

/** A list, or its JSON text from the command line. Throws an Error that names the key and what it may be. */
export function rotations(value: unknown, privateAuthorities: readonly string[]): readonly RotationSetting[] {
  const listed = typeof value === 'string' && value !== '' ? parsed(value) : (value ?? []);
  if (listed === '') return [];
  if (!Array.isArray(listed)) throw new Error(`${key} must be a list of {identity, schedule, window, renewal}.`);
  const settings = listed.map((entry) => rotation(entry, privateAuthorities));
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${key} must be JSON on the command line.`);
  }
}

function rotation(entry: unknown, privateAuthorities: readonly string[]): RotationSetting {
  if (!isObject(entry)) throw new Error(`${key} must be a list of {identity, schedule, window, renewal}.`);
  const { identity, schedule, window, renewal, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`${key} has no "${other}"; there are identity, schedule, window, renewal.`);
  if (typeof identity !== 'string' || !identityNamePattern.test(identity)) {
    throw new Error(`${key}: identity must be lower case letters, digits and hyphens, at most 63.`);
  }
  if (typeof schedule !== 'string' || !scheduleForm.test(schedule)) {
    throw new Error(
      `${key}: schedule of ${identity} must be like rate(30 days), rate(12 hours), which may be four hours at least, or cron(0 3 1 * ? *), whose minute is 0.`,
    );
  }
  if (window !== undefined && !(typeof window === 'string' && /^(?:[1-9]|1\d|2[0-4])h$/.test(window))) {
    throw new Error(`${key}: window of ${identity} must be 1h to 24h.`);
  }
  checkRenewal(identity, renewal, privateAuthorities);
  return { identity, schedule, window, renewal: renewal as RotationSetting['renewal'] };
}

/** The function looks at the rest of it; here is what must never be deployed. */
function checkRenewal(identity: string, renewal: unknown, privateAuthorities: readonly string[]): void {
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
    throw new Error(`${key}: the authority of ${identity} must be in countersign:privateCas as well.`);
  }
}

/** By its name, also of one that is misspelt: it is deployed before the function finds that; or credentials in an address, a key among certificates. */
function isSecret([name, value]: [string, unknown]): boolean {
  if (/pass|secret|token|key$/i.test(name)) return true;
  return typeof value === 'string' && /^[a-z]+:\/\/[^/?#]*@|PRIVATE KEY/i.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
