// When each sign begins: a day after the date, a day of AWSPENDING, the last quarter of the leaf's life.
import { expect, it } from 'vitest';
import { overdueSignsOf, type RotationTimes } from '../../../core/inspection/inspect.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22);
const calm: RotationTimes = {
  rotationEnabled: true,
  nextRotationAt: now + day,
  pendingSince: undefined,
  leaf: { validFrom: now - 30 * day, validTo: now + 60 * day },
};

const signs = (state: Partial<RotationTimes>) => overdueSignsOf({ ...calm, ...state }, now);

it.each([
  ['the date was a day ago', { nextRotationAt: now - day }, []],
  ['the date was more than a day ago', { nextRotationAt: now - day - 1 }, ['next-rotation-passed']],
  ['there is no date', { nextRotationAt: undefined }, []],
  ['AWSPENDING has been there for a day', { pendingSince: now - day }, []],
  ['AWSPENDING has been there for longer', { pendingSince: now - day - 1 }, ['pending-for-a-day']],
  ['a quarter of the life is left', { leaf: { validFrom: now - 90 * day, validTo: now + 30 * day } }, []],
  ['less is left', { leaf: { validFrom: now - 90 * day - 2, validTo: now + 30 * day } }, ['last-quarter-of-life']],
  ['the leaf has expired', { leaf: { validFrom: now - 90 * day, validTo: now - 1 } }, ['last-quarter-of-life']],
  ['the leaf cannot be read', { leaf: undefined }, []],
  [
    'all of it',
    { nextRotationAt: 0, pendingSince: 0, leaf: { validFrom: 0, validTo: 1 } },
    ['next-rotation-passed', 'pending-for-a-day', 'last-quarter-of-life'],
  ],
])('a rotation is overdue when %s', (_, state, expected) => {
  expect(signs(state)).toEqual(expected);
  expect(signs({ ...state, rotationEnabled: false })).toEqual([]);
});
