// What came from far away, as a terminal may show it: nothing in it steers the screen, only the colours of our own do.

/** Controls, line and paragraph separators, and what turns the direction of text or is not seen at all. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Shown as `\u202e`. To be used before anything is painted. */
export function harmless(text: string): string {
  return text.replace(steering, unitsOf);
}

/** The same for every string in what was parsed from JSON. */
export function harmlessly<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value), (_name, one: unknown) => (typeof one === 'string' ? harmless(one) : one));
}

/** The same value for whoever parses it: JSON has these escapes, and JSON.stringify uses them only below U+0020. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(steering, (text) => (text === '\n' ? text : unitsOf(text)));
}

function unitsOf(text: string): string {
  return text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
