// Output: the answer on stdout, as lines or JSON; everything else on stderr. Colours only on a terminal.
import { styleText } from 'node:util';
import { escapeForTerminal, escapeJsonForTerminal } from '../core/escape-for-terminal.ts';

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow';
export type Paint = (style: Style, text: string) => string;

export interface Output {
  /** For text on stdout. Escape remote text with `escapeForTerminal` first. */
  readonly paint: Paint;
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  /** The answer of a verb, once: JSON with --json, else the lines. Must not contain keys or passphrases. */
  answer(value: unknown, lines: () => readonly string[]): void;
  /** Writes to stdout unchanged: a certificate request, the body of an answer. */
  raw(content: string | Uint8Array): void;
  /** Progress, on stderr. */
  progress(sentence: string): void;
  /** A warning, on stderr. */
  warn(sentence: string): void;
  /** The error that ends the verb, on stderr; with --json also `{"error": …}` on stdout. */
  fail(failure: Failure): void;
}

interface Failure {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string | undefined;
  /** A line above the detail. */
  readonly heading?: string;
  /** Printed by --json instead of code, detail and hint. */
  readonly document?: object;
}

interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** `noColor`: whether NO_COLOR is set and not empty (no-color.org). */
export function openOutput({ stdout, stderr }: Streams, noColor: boolean, isJson: () => boolean): Output {
  const paint = painter(stdout.isTTY === true && !noColor);
  const paintAside = painter(stderr.isTTY === true && !noColor);
  const aside = (style: Style | undefined, sentence: string) => {
    const text = sentence.split('\n').map(escapeForTerminal).join('\n');
    stderr.write(`${style ? paintAside(style, text) : text}\n`);
  };
  return {
    paint,
    isTerminal: stdout.isTTY === true,
    answer(value, lines) {
      const text = isJson() ? [escapeJsonForTerminal(value)] : lines();
      if (text.length > 0) stdout.write(`${text.join('\n')}\n`);
    },
    raw: (content) => void stdout.write(content),
    progress: (sentence) => aside('dim', sentence),
    warn: (sentence) => aside('yellow', `warning: ${sentence}`),
    fail({ code, detail, hint, heading, document = { code, detail, ...(hint ? { hint } : {}) } }) {
      if (isJson()) stdout.write(`${escapeJsonForTerminal({ error: document })}\n`);
      if (heading) aside('red', heading);
      aside(heading ? undefined : 'red', detail);
      if (hint) aside(undefined, hint);
    },
  };
}

/** Returns the text unchanged without colours. */
export function painter(isColoured: boolean): Paint {
  return (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text);
}

/** A message appears only after this time. */
const progressAfterMs = 2_000;

/** Prints `sentence` if the work takes longer than 2 s, only on a terminal. */
export async function withProgress<Value>(
  { isInteractive, output }: { readonly isInteractive: boolean; readonly output: Output },
  sentence: string,
  work: Promise<Value>,
): Promise<Value> {
  if (!isInteractive) return work;
  const timer = setTimeout(() => output.progress(sentence), progressAfterMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Quotes an argument for a shell. */
export function quoted(text: string): string {
  return /^[\w/:.@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
