// When rate() and cron() come next, what window they open, and which of them are refused; dates in UTC.
import { describe, expect, it } from 'vitest';
import { checkRules, type RotationRules, windowAfter } from '../../../core/versions/rotation-schedule.ts';

const at = (text: string) => Date.parse(`${text.replace(' ', 'T')}:00Z`);
const text = (time: number | undefined) => time && new Date(time).toISOString().slice(0, 16).replace('T', ' ');

/** A Thursday. */
const base = '2026-01-15 10:30';

describe('the next window', () => {
  // Dates from the examples of the User Guide, "Rotation schedules", where there is one.
  it.each<[RotationRules, string, string, string?]>([
    [{ AutomaticallyAfterDays: 30 }, '2026-02-14 00:00', '2026-02-15 00:00'],
    [{ AutomaticallyAfterDays: 1000, Duration: '2h' }, '2028-10-11 00:00', '2028-10-11 02:00'],
    [{ ScheduleExpression: 'rate(1 day)' }, '2026-01-16 00:00', '2026-01-17 00:00'],
    [{ ScheduleExpression: 'rate(10 days)', Duration: '3h' }, '2026-01-25 00:00', '2026-01-25 03:00'],
    [{ ScheduleExpression: 'rate(4 hours)' }, '2026-01-15 14:00', '2026-01-15 15:00'],
    [{ ScheduleExpression: 'rate(13 hours)', Duration: '4h' }, '2026-01-15 23:00', '2026-01-16 00:00'],
    [{ ScheduleExpression: 'cron(0 8/8 * * ? *)' }, '2026-01-15 16:00', '2026-01-15 17:00'],
    [{ ScheduleExpression: 'cron(0 8/8 * * ? *)' }, '2026-01-16 08:00', '2026-01-16 09:00', '2026-01-15 16:00'],
    [{ ScheduleExpression: 'cron(0 4/12 * * ? *)', Duration: '3h' }, '2026-01-15 16:00', '2026-01-15 19:00'],
    [{ ScheduleExpression: 'cron(0 2/10 * * ? *)' }, '2026-01-15 12:00', '2026-01-15 13:00'],
    [{ ScheduleExpression: 'cron(0 10 * * ? *)' }, '2026-01-16 10:00', '2026-01-17 00:00'],
    [{ ScheduleExpression: 'cron(0 18 ? * SAT *)' }, '2026-01-17 18:00', '2026-01-18 00:00'],
    [{ ScheduleExpression: 'cron(0 18 ? * 7 *)' }, '2026-01-17 18:00', '2026-01-18 00:00'],
    [{ ScheduleExpression: 'cron(0 20 ? * mon-wed,FRI *)' }, '2026-01-16 20:00', '2026-01-17 00:00'],
    [{ ScheduleExpression: 'cron(0 8 1/7 * ? *)', Duration: '3h' }, '2026-01-22 08:00', '2026-01-22 11:00'],
    [{ ScheduleExpression: 'cron(0 0 1,15 * ? *)' }, '2026-02-01 00:00', '2026-02-02 00:00'],
    [{ ScheduleExpression: 'cron(0 12 15 * ? *)' }, '2026-01-15 12:00', '2026-01-16 00:00'],
    [{ ScheduleExpression: 'cron(0 16 L * ? *)' }, '2026-01-31 16:00', '2026-02-01 00:00'],
    [{ ScheduleExpression: 'cron(0 16 L FEB ? *)' }, '2026-02-28 16:00', '2026-03-01 00:00'],
    [{ ScheduleExpression: 'cron(0 16 L 2 ? *)' }, '2028-02-29 16:00', '2028-03-01 00:00', '2027-03-01 00:00'],
    [{ ScheduleExpression: 'cron(0 0 29 2 ? *)' }, '2104-02-29 00:00', '2104-03-01 00:00', '2096-03-01 00:00'],
    [{ ScheduleExpression: 'cron(0 0 ? * SUN#1 *)' }, '2026-02-01 00:00', '2026-02-02 00:00'],
    [{ ScheduleExpression: 'cron(0 0 ? * 6#5 *)' }, '2026-01-30 00:00', '2026-01-31 00:00'],
    [{ ScheduleExpression: 'cron(0 0 ? * THUL *)' }, '2026-01-29 00:00', '2026-01-30 00:00'],
    [{ ScheduleExpression: 'cron(0 0 ? * L *)' }, '2026-01-17 00:00', '2026-01-18 00:00'],
    [{ ScheduleExpression: 'cron(0 0 1 3/3 ? *)' }, '2026-03-01 00:00', '2026-03-02 00:00'],
    [{ ScheduleExpression: 'cron(0 0 1 JAN ? *)', Duration: '24h' }, '2027-01-01 00:00', '2027-01-02 00:00'],
  ])('of %o opens at %s and closes at %s', (rules, opens, closes, after = base) => {
    expect(() => checkRules(rules, at(base))).not.toThrow();
    const window = windowAfter(rules, at(after));
    expect([text(window?.opensAt), text(window?.closesAt)]).toEqual([opens, closes]);
  });

  it('exists only with a schedule', () => expect(windowAfter({ Duration: '2h' }, at(base))).toBeUndefined());
});

it.each<RotationRules>([
  { AutomaticallyAfterDays: 10, ScheduleExpression: 'rate(10 days)' },
  ...[
    'rate(0 days)',
    'rate(1000 days)',
    'rate(3 hours)',
    'rate(1 minute)',
    'rate(10)',
    'rate(-1 days)',
    'rate(99999999 days)',
    'every day',
    'cron()',
    'cron(0 0 * * ?)',
    'cron(0 0 * * ? * *)',
    'cron(30 0 * * ? *)',
    'cron(0 0 * * ? 2027)',
    'cron(0 24 * * ? *)',
    'cron(0 * * * ? *)',
    'cron(0 8,9 * * ? *)',
    'cron(0 0/3 * * ? *)',
    'cron(0 0 * * * *)',
    'cron(0 0 ? * ? *)',
    'cron(0 0 0 * ? *)',
    'cron(0 0 32 * ? *)',
    'cron(0 0 1 13 ? *)',
    'cron(0 0 1 JANUARY ? *)',
    'cron(0 0 30 2 ? *)',
    'cron(0 0 5-1 * ? *)',
    'cron(0 0 1-2-3 * ? *)',
    'cron(0 0 1/2/3 * ? *)',
    'cron(0 0 1/0 * ? *)',
    'cron(0 0 1, * ? *)',
    'cron(0 0 15W * ? *)',
    'cron(0 0 ? * 8 *)',
    'cron(0 0 ? * SUN#6 *)',
    'cron(0 0 ? * SUN#1,MON *)',
    'cron(0 0 ? * 9L *)',
  ].map((ScheduleExpression) => ({ ScheduleExpression })),
  ...['0h', '25h', 'hh', '3', 'h3'].map((Duration) => ({ ScheduleExpression: 'rate(1 day)', Duration })),
  { ScheduleExpression: 'rate(4 hours)', Duration: '5h' },
  { ScheduleExpression: 'cron(0 22 * * ? *)', Duration: '3h' },
  { ScheduleExpression: 'cron(0 8/8 * * ? *)', Duration: '9h' },
])('%o is rejected', (rules) => {
  expect(() => checkRules(rules, at(base))).toThrow(/\.$/);
});
