// JSON text made without JSON.stringify is the same text.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoTime, jsonString } from '../../core/json-text.ts';

describe('the JSON text of a string', () => {
  const long = 'x'.repeat(200);
  it.each([
    '',
    'plain',
    'a "quoted" word',
    'back\\slash',
    'line\nfeed',
    '\0\b\t\f\r\u001f\u007f',
    'grün €',
    '\u0141\u0122',
    '\u{1f600}',
    '\ud800',
    '\u2028',
    JSON.stringify({ a: ['"', '\\'], b: 'c' }),
  ])('is that of JSON.stringify, short and long: %j', (text) => {
    for (const one of [text, long + text, text + long, (long + text).repeat(100)]) {
      expect(jsonString(one)).toBe(JSON.stringify(one));
    }
  });

  it('is that of JSON.stringify for any string', () => {
    const strings = fc.string({ unit: 'binary', maxLength: 400 });
    const lengthened = fc.tuple(strings, fc.nat(300)).map(([text, more]) => text + 'y'.repeat(more));
    fc.assert(fc.property(lengthened, (text) => jsonString(text) === JSON.stringify(text)));
  });
});

it('writes a time as Date does, in any order', () => {
  const times = fc.array(fc.integer({ min: 0, max: 4_102_444_800_000 }), { minLength: 1 });
  fc.assert(
    fc.property(times, (all) => {
      for (const time of all) expect(isoTime(time)).toBe(new Date(time).toISOString());
    }),
  );
  expect(isoTime(1_700_000_000_999)).toBe('2023-11-14T22:13:20.999Z');
  expect(isoTime(1_700_000_001_007)).toBe('2023-11-14T22:13:21.007Z');
});
