// The headers a caller may set: written so that no receiver can read them as something else, or refused by name.
import { invalidRequest, membersOf, shown } from '../json-request.ts';

/** RFC 9110, section 5.6.2. */
export const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 9110, section 5.5: visible ASCII, blank, tab, and obs-text, one byte for each character up to U+00FF. */
const fieldValuePattern = /^[\t -~\u0080-\u00ff]*$/;

/** How many fields Apache takes (LimitRequestFields), and the bytes of nginx's default large_client_header_buffers. */
const maxFields = 100;
const maxHeaderBytes = 32 * 1024;

/**
 * Framing, routing and what concerns one connection alone (RFC 9110, section 7.6.1): Countersign sets these, for a
 * second opinion about where a request ends is how requests are smuggled. `expect` would stall the call, `proxy-*` is
 * below.
 */
const reserved = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'http2-settings',
]);

export interface RequestHeaders {
  /** Name, value, name, value, … in the caller's order and spelling. */
  readonly list: string[];
  /** Lower case. */
  readonly names: ReadonlySet<string>;
}

/**
 * Checks the field `headers`. With `source`, the JSON text and the index its object starts at, a header that stands
 * twice is refused. Throws `invalid-request` that names the field, never its value.
 */
export function readRequestHeaders(
  value: unknown,
  source?: { readonly text: string; readonly start: number },
): RequestHeaders {
  const list: string[] = [];
  const names = new Set<string>();
  if (value === undefined) return { list, names };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('headers', 'The field "headers" must be an object of names and values.');
  }
  const given = Object.keys(value);
  // Before anything is done for each: a request of 6 MB has room for 400,000.
  if (given.length > maxFields) throw tooMany();
  if (source && membersOf(source.text, source.start, maxFields + 1).length !== given.length) {
    throw invalidRequest('headers', 'A header stands twice in "headers"; give its values as one list.');
  }
  let bytes = 0;
  for (const name of given) {
    const lowerName = checkName(name);
    const values = (value as Record<string, unknown>)[name];
    for (const one of Array.isArray(values) ? values : [values]) {
      checkValue(name, one);
      list.push(name, one);
      names.add(lowerName);
      // ": " and the line's end count as four.
      bytes += name.length + one.length + 4;
      if (list.length > maxFields * 2 || bytes > maxHeaderBytes) throw tooMany();
    }
  }
  return { list, names };
}

function tooMany(): Error {
  return invalidRequest(
    'headers',
    `There are more than ${maxFields} headers, or more than ${maxHeaderBytes} bytes of them.`,
  );
}

function checkName(name: string): string {
  if (!tokenPattern.test(name)) {
    throw invalidRequest('headers', `${shown(name)} is not a header name (RFC 9110, section 5.6.2).`);
  }
  const lowerName = name.toLowerCase();
  if (reserved.has(lowerName) || lowerName.startsWith('proxy-')) {
    throw invalidRequest('headers', `The header ${shown(name)} is set by Countersign alone; leave it out.`);
  }
  return lowerName;
}

function checkValue(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') {
    throw invalidRequest('headers', `The header ${shown(name)} must be a string or a list of strings.`);
  }
  if (!fieldValuePattern.test(value)) {
    throw invalidRequest(
      'headers',
      `The header ${shown(name)} holds a line break, a control character or a character past U+00FF.`,
    );
  }
  // The receiver must drop them (RFC 9110, section 5.5), so they would not arrive as they were written.
  if (/^[\t ]|[\t ]$/.test(value)) {
    throw invalidRequest('headers', `The header ${shown(name)} starts or ends with a blank.`);
  }
}
