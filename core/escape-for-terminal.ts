// Escapes remote text before it is printed, so that it cannot control the terminal.

/**
 * Controls, format characters (bidirectional overrides and invisible ones), line and paragraph separators, surrogates.
 */
const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Writes them as `\u202e`. Call it before the text is coloured. */
export function escapeForTerminal(text: string): string {
  return text.replace(controls, escaped);
}

/** Escapes every string in a value that was parsed from JSON. */
export function escapeStringsForTerminal<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value), (_name, one: unknown) =>
    typeof one === 'string' ? escapeForTerminal(one) : one,
  );
}

/** JSON that parses to the same value. JSON.stringify alone escapes only characters below U+0020. */
export function escapeJsonForTerminal(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(controls, (text) => (text === '\n' ? text : escaped(text)));
}

function escaped(text: string): string {
  return text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
