// Where the members of a JSON object stand in its text, so that a caller's JSON can be sent on unchanged.

export interface Member {
  readonly key: string;
  /** The value is `text.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
}

const quote = 0x22;
const backslash = 0x5c;

/**
 * The members of the object that opens at or after `from`, in order, duplicates included (RFC 8259, section 4 leaves open
 * what they mean; JSON.parse keeps the last). The text must be one that JSON.parse has accepted, and `from` must lead to
 * an object: nothing is checked again.
 * @param most the rest is left out, so that an object of any size costs no more than those
 */
export function membersOf(text: string, from = 0, most = Number.POSITIVE_INFINITY): Member[] {
  const members: Member[] = [];
  let at = skipBlanks(text, text.indexOf('{', from) + 1);
  while (members.length < most && text.charCodeAt(at) === quote) {
    const keyEnd = stringEnd(text, at);
    const start = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    const end = valueEnd(text, start);
    members.push({ key: keyOf(text.slice(at, keyEnd)), start, end });
    // Past the comma, or past the closing brace, where no quote can follow inside this object.
    at = skipBlanks(text, end);
    if (text[at] !== ',') break;
    at = skipBlanks(text, at + 1);
  }
  return members;
}

function keyOf(source: string): string {
  return source.includes('\\') ? (JSON.parse(source) as string) : source.slice(1, -1);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 0x20 || (code >= 0x09 && code <= 0x0d); code = text.charCodeAt(at))
    at++;
  return at;
}

/** The index after the closing quote of the string that opens at `start`; 0 when there is none. */
function stringEnd(text: string, start: number): number {
  let at = text.indexOf('"', start + 1);
  while (isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at + 1;
}

/** A quote is escaped when an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === backslash) first--;
  return (at - first) % 2 === 1;
}

function valueEnd(text: string, start: number): number {
  const opening = text.charCodeAt(start);
  if (opening === quote) return stringEnd(text, start);
  if (opening === 0x5b || opening === 0x7b) return nestedEnd(text, start);
  let at = start;
  for (let code = opening; isScalar(code); code = text.charCodeAt(at)) at++;
  return at;
}

/** What numbers and `true`, `false`, `null` are written with: + - . digits and letters (RFC 8259, sections 3 and 6). */
function isScalar(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === 0x2e ||
    code === 0x2b ||
    code === 0x45
  );
}

/** Of any text, JSON or not; brackets in strings do not count. */
export function nestsDeeperThan(text: string, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = stringEnd(text, at) - 1;
      // A string without an end: there is no more to count.
      if (at < 0) return false;
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > most) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

/** Counts brackets instead of recursing: no depth is too deep. */
function nestedEnd(text: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = stringEnd(text, at);
      continue;
    }
    // `[` and `{` open, `]` and `}` close: 0x5b, 0x7b, 0x5d, 0x7d.
    if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth--;
    at++;
  } while (depth > 0);
  return at;
}
