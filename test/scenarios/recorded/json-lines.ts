// JSON with one member on each line, and not a character of its tokens changed.

const token = /"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+|\s+/gy;

/**
 * The text with line breaks and blanks put between its tokens. Undefined where it is not JSON, or has blanks of its own
 * between tokens: a comparison would not see them.
 */
export function jsonLines(text: string): string | undefined {
  if (!isJson(text) || !/^[[{]/.test(text)) return undefined;
  let depth = 0;
  let written = '';
  let before = '';
  let name = '';
  /** Deep inside CloudWatch's directives, the same in each line of a kind: all on one line. */
  let flatFrom = Number.POSITIVE_INFINITY;
  for (const [word] of text.matchAll(token)) {
    if (/^\s/.test(word)) return undefined;
    const isClosing = word === '}' || word === ']';
    if (isClosing) depth--;
    if (depth < flatFrom && !(isClosing && depth === flatFrom - 1) && breaks(before, word))
      written += `\n${'  '.repeat(depth)}`;
    written += word === ':' ? ': ' : word;
    if (word === '{' || word === '[') depth++;
    if (before === ':' && name === '"_aws"') flatFrom = depth;
    if (isClosing && depth < flatFrom) flatFrom = Number.POSITIVE_INFINITY;
    if (word === ':') name = before;
    before = word;
  }
  return written;
}

function breaks(before: string, word: string): boolean {
  if (before === '{' || before === '[') return !(word === '}' || word === ']');
  return before === ',' || word === '}' || word === ']';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
