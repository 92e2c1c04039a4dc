// JSON from an API, parsed if it is of the size of an answer: what is nested without end, or has members without number, exhausts whoever reads it.

/** An evidence of a finding of a step of a diagnosis lies seven deep. */
const mostDeep = 16;
/** The longest answers have a few thousand: certificates of a chain, issuers, headers. */
const mostMembers = 100_000;

/** Throws for what is no JSON, and for JSON that is no answer's. */
export function parsed(text: string): unknown {
  if (!isModest(text)) throw new SyntaxError('It is no answer.');
  return JSON.parse(text);
}

/** Looked at before it is parsed: 16 MiB of brackets become a gigabyte of lists. */
function isModest(text: string): boolean {
  let depth = 0;
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') at = endOfString(text, at);
    else if (sign === '[' || sign === '{') depth++;
    else if (sign === ']' || sign === '}') depth--;
    else if (sign === ',') members++;
    if (depth > mostDeep || members > mostMembers) return false;
  }
  return true;
}

/** Where the quotation mark is that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
