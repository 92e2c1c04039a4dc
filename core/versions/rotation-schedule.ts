// Parses the rotation schedules of Secrets Manager (rate() and cron() expressions, window lengths) and computes the
// next window, in UTC.

/** RotationRules as given, with AWS's field names. */
export interface RotationRules {
  readonly AutomaticallyAfterDays?: number;
  readonly ScheduleExpression?: string;
  readonly Duration?: string;
}

/** Milliseconds since 1970. */
export interface RotationWindow {
  readonly opensAt: number;
  readonly closesAt: number;
}

const hour = 3_600_000;
const day = 24 * hour;
/** User Guide, "Rotation schedules". */
const limits = { minHoursBetween: 4, maxRateDays: 999 } as const;
/** A 29 February occurs within eight years; a date that does not occur within them never does. */
const searchedDays = 8 * 366 + 1;

/** Throws an Error for rules that Secrets Manager does not allow, and for a cron() without any date. */
export function checkRules(rules: RotationRules, now: number): void {
  if (rules.AutomaticallyAfterDays !== undefined && rules.ScheduleExpression !== undefined) {
    throw new Error("You can't specify both AutomaticallyAfterDays and ScheduleExpression.");
  }
  const window = windowAfter(rules, now);
  if (rules.ScheduleExpression === undefined) return;
  if (!window) throw new Error('The ScheduleExpression names a day that never comes.');
}

/**
 * The first window that opens after `base`, the time of the last rotation; undefined without a schedule. Days are
 * counted from midnight to midnight, hours from the full hour.
 */
export function windowAfter(rules: RotationRules, base: number): RotationWindow | undefined {
  const schedule = scheduleOf(rules);
  const opensAt = schedule?.opensAfter(base);
  if (!schedule || opensAt === undefined) return undefined;
  const endOfDay = startOf(day, opensAt) + day;
  return { opensAt, closesAt: opensAt + (schedule.windowHours?.(opensAt) ?? (endOfDay - opensAt) / hour) * hour };
}

interface Schedule {
  readonly opensAfter: (base: number) => number | undefined;
  /** Hours; absent: to the end of the day. */
  readonly windowHours?: (opensAt: number) => number;
}

function scheduleOf(rules: RotationRules): Schedule | undefined {
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression } = rules;
  const given = rules.Duration === undefined ? undefined : durationHours(rules.Duration);
  if (expression !== undefined) {
    const rate = /^rate\((\d{1,5}) (hours?|days?)\)$/.exec(expression);
    if (rate) return rateOf(Number(rate[1]), rate[2]?.startsWith('hour') === true, given);
    const cron = /^cron\(([^()]*)\)$/.exec(expression);
    if (cron) return cronOf(cron[1] as string, given);
    throw new Error('The ScheduleExpression must be a rate() or a cron() expression.');
  }
  return days === undefined ? undefined : rateOf(days, false, given, Number.POSITIVE_INFINITY);
}

function rateOf(count: number, inHours: boolean, given?: number, maxDays: number = limits.maxRateDays): Schedule {
  if (!inHours) {
    if (count < 1 || count > maxDays) throw new Error(`The rate must be from 1 to ${limits.maxRateDays} days.`);
    return { opensAfter: (base) => startOf(day, base) + count * day, ...withHours(given) };
  }
  if (count < limits.minHoursBetween || count > limits.maxRateDays * 24) throw tooOften();
  if (given !== undefined && given > count) throw windowTooLong();
  return {
    opensAfter: (base) => startOf(hour, base) + count * hour,
    // The window must not extend into the next day.
    windowHours: (opensAt) => Math.min(given ?? 1, 24 - new Date(opensAt).getUTCHours()),
  };
}

/** cron(Minutes Hours Day-of-month Month Day-of-week Year); User Guide, "Rotation schedules", "Cron expressions". */
function cronOf(text: string, given: number | undefined): Schedule {
  const [minutes, hoursText = '', dayOfMonth = '', monthText = '', dayOfWeek = '', year, ...more] = text.split(' ');
  if (more.length > 0 || minutes !== '0' || year !== '*') {
    throw new Error('A cron() expression has six fields; that of the minutes must be 0, and that of the year *.');
  }
  const hours = [...valuesOf(hoursText, { min: 0, max: 23 })].sort((one, other) => one - other);
  const months = valuesOf(monthText, { min: 1, max: 12, names: monthNames });
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    throw new Error('Of Day-of-month and Day-of-week, one must be ? and the other not.');
  }
  const isDay = dayOfMonth === '?' ? dayOfWeekTest(dayOfWeek) : dayOfMonthTest(dayOfMonth);
  const gaps = hours.slice(1).map((at, index) => at - (hours[index] as number));
  if (gaps.some((gap) => gap < limits.minHoursBetween)) throw tooOften();
  const last = hours.at(-1) as number;
  if (given !== undefined && (last + given > 24 || gaps.some((gap) => given > gap))) throw windowTooLong();
  return {
    opensAfter(base) {
      for (let ahead = 0; ahead < searchedDays; ahead += 1) {
        const midnight = startOf(day, base) + ahead * day;
        const date = new Date(midnight);
        if (!months.has(date.getUTCMonth() + 1) || !isDay(date)) continue;
        const at = hours.find((candidate) => midnight + candidate * hour > base);
        if (at !== undefined) return midnight + at * hour;
      }
      return undefined;
    },
    ...withHours(given ?? (hours.length > 1 ? 1 : undefined)),
  };
}

function dayOfMonthTest(field: string): (date: Date) => boolean {
  if (field === 'L') return (date) => date.getUTCDate() === lastDayOf(date);
  const days = valuesOf(field, { min: 1, max: 31 });
  return (date) => days.has(date.getUTCDate());
}

function dayOfWeekTest(field: string): (date: Date) => boolean {
  const names = { min: 1, max: 7, names: weekdayNames };
  // The last day of the week.
  if (field === 'L') return (date) => date.getUTCDay() === 6;
  const special = /^([A-Z]{3}|\d)(?:L|#([1-5]))$/.exec(field.toUpperCase());
  if (special) {
    const weekday = [...valuesOf(special[1] as string, names)][0] as number;
    const week = special[2] === undefined ? undefined : Number(special[2]);
    return (date) => {
      if (date.getUTCDay() + 1 !== weekday) return false;
      if (week === undefined) return date.getUTCDate() + 7 > lastDayOf(date);
      return Math.ceil(date.getUTCDate() / 7) === week;
    };
  }
  const weekdays = valuesOf(field, names);
  return (date) => weekdays.has(date.getUTCDay() + 1);
}

const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const weekdayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  readonly min: number;
  readonly max: number;
  /** The first stands for `min`. */
  readonly names?: readonly string[];
}

/** `*`, `5`, `1-5`, `8/8`, and lists of them. */
function valuesOf(text: string, field: Field): ReadonlySet<number> {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const [span = '', step, ...more] = item.split('/');
    const [from = '', to, ...rest] = span.split('-');
    if (more.length > 0 || rest.length > 0) throw badField();
    const by = step === undefined ? 1 : numberOf(step, { min: 1, max: field.max });
    const first = span === '*' ? field.min : numberOf(from, field);
    const last = span === '*' || (step !== undefined && to === undefined) ? field.max : numberOf(to ?? from, field);
    if (last < first) throw badField();
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

function numberOf(text: string, { min, max, names = [] }: Field): number {
  const named = names.indexOf(text.toUpperCase());
  if (named >= 0) return min + named;
  const number = Number(text);
  if (!/^\d{1,2}$/.test(text) || number < min || number > max) throw badField();
  return number;
}

function durationHours(text: string): number {
  const hours = Number(/^(\d{1,2})h$/.exec(text)?.[1]);
  if (!(hours >= 1 && hours <= 24)) throw new Error('The Duration must be from 1h to 24h.');
  return hours;
}

function withHours(hours: number | undefined): Pick<Schedule, 'windowHours'> {
  return hours === undefined ? {} : { windowHours: () => hours };
}

function startOf(unit: number, time: number): number {
  return time - (time % unit);
}

function lastDayOf(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

function tooOften(): Error {
  return new Error(`A secret can be rotated every ${limits.minHoursBetween} hours at most.`);
}

function windowTooLong(): Error {
  return new Error('The rotation window must not extend into the next one or into the next day (UTC).');
}

function badField(): Error {
  return new Error('A field of the cron() expression is not valid.');
}
