// Parses the JSON body of an API request, so that a caller's JSON can be sent on unchanged and nothing is ignored.
import { isUtf8 } from 'node:buffer';
import { CountersignError } from './errors.ts';
import { limits } from './settings.ts';

/** `field` is the field of the request that is wrong, `detail` one sentence without any of its values. */
export function invalidRequest(field: string, detail: string): CountersignError {
  return new CountersignError('invalid-request', detail, { evidence: { field } });
}

/** The text of a request body. Throws `invalid-request` if it is missing or not UTF-8. */
export function bodyText(body: string | Buffer | undefined): string {
  if (body === undefined || body.length === 0) throw invalidRequest('body', 'The request has no body.');
  if (typeof body === 'string' ? !body.isWellFormed() : !isUtf8(body)) {
    throw invalidRequest('body', 'The request body is not UTF-8.');
  }
  return String(body);
}

/** JSON.parse takes about 90 bytes for each bracket: what is small enough may be as deep as it likes. */
const unboundedLength = 64 * 1024;
const mostNested = 1_000;

export function parseFields(text: string): Readonly<Record<string, unknown>> {
  if (text.length > unboundedLength && nestsDeeperThan(text, mostNested)) {
    throw invalidRequest('body', `The request body is large and nested more than ${mostNested} deep.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8's message quotes the text, so neither it nor the error itself may leave this place.
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw invalidRequest('body', `The request body is not JSON${position ? `: see character ${position}` : ''}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('body', 'The request body must be a JSON object.');
  }
  return value as Readonly<Record<string, unknown>>;
}

/** A misspelt or repeated field must not be ignored in silence: it might have been requireMutual. */
export function checkMembers(text: string, known: ReadonlySet<string>): Map<string, Member> {
  const members = new Map<string, Member>();
  // One more than there are fields: among those, one is unknown or stands twice.
  for (const member of membersOf(text, 0, known.size + 1)) {
    const { key } = member;
    if (!known.has(key)) throw invalidRequest(key.slice(0, 64), `There is no field ${shown(key)}.`);
    if (members.has(key)) throw invalidRequest(key, `The field "${key}" stands twice in the request.`);
    members.set(key, member);
  }
  return members;
}

/** Only that it is a string; what it may say is the destination guard's to judge. */
export function readUrl(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalidRequest('url', 'The field "url" must be a URL.');
  return value;
}

export function readTimeout(value: unknown, remainingMs: number): number {
  if (value !== undefined && (!Number.isInteger(value) || Number(value) < 1 || Number(value) > limits.maxTimeoutMs)) {
    throw invalidRequest('timeoutMs', `The field "timeoutMs" must be a whole number from 1 to ${limits.maxTimeoutMs}.`);
  }
  const wanted = (value as number | undefined) ?? limits.defaultTimeoutMs;
  return Math.max(1, Math.min(wanted, Math.floor(remainingMs - limits.timeoutReserveMs)));
}

/** A name for a sentence: quoted, escaped, short. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);
}

export interface Member {
  readonly key: string;
  /** The value is `text.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
}

const quote = 0x22;
const backslash = 0x5c;

/**
 * The members of the object that opens at or after `from`, in order, duplicates included (RFC 8259, section 4 leaves
 * open what they mean; JSON.parse keeps the last). The text must be one that JSON.parse has accepted, and `from` must
 * lead to an object: nothing is checked again.
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

/** The index after the closing quote of the string that opens at `start`; 0 if it does not end. */
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
function nestsDeeperThan(text: string, most: number): boolean {
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
