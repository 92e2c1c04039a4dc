// What the command writes: the answer on stdout, as lines or as JSON; everything else on stderr; colours on a terminal alone.
import { styleText } from 'node:util';
import { escapeForTerminal, escapeJsonForTerminal } from '../core/escape-for-terminal.ts';

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow';
export type Paint = (style: Style, text: string) => string;

export interface Output {
  /** For what goes to stdout. What comes from elsewhere goes through `escapeForTerminal` before it is painted. */
  readonly paint: Paint;
  /** Stdout is one. */
  readonly isTerminal: boolean;
  /** The one answer of a verb: JSON with --json, else the lines. Must hold no key and no passphrase. */
  answer(value: unknown, lines: () => readonly string[]): void;
  /** To stdout as it is, for a verb whose answer is a file: a certificate request, the body of an answer. */
  raw(content: string | Uint8Array): void;
  /** On stderr: what is going on. */
  progress(sentence: string): void;
  /** On stderr: what should be looked at, though it stops nothing. */
  warn(sentence: string): void;
  /** On stderr: why the verb ends without its answer; with --json also `{"error": …}` on stdout. */
  fail(failure: Failure): void;
}

export interface Failure {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string | undefined;
  /** A line above the detail. */
  readonly heading?: string;
  /** What --json gives in place of code, detail and hint. */
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

/** Colours for a terminal; the same text everywhere. */
export function painter(isColoured: boolean): Paint {
  return (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text);
}
