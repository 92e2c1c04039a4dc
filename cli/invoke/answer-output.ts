// Writes the answer of an invocation like curl: the body unchanged, optionally after the head, to a file or to stdout.
import { closeSync, constants, openSync, rmSync, writeFileSync } from 'node:fs';
import { access, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { InvocationResult } from '../../core/invocation/answer.ts';
import type { CommandContext } from '../context.ts';
import { refusal, usageError } from '../exit-code.ts';

export interface WrittenAs {
  /** Path of a file. `-` is stdout, even for binary content on a terminal. */
  readonly file: string | undefined;
  readonly withHead: boolean;
  readonly withBody: boolean;
}

/** Checks before the call, which can have effects, that its answer can be written. Throws a usage error. */
export async function requireWritable(file: string | undefined): Promise<void> {
  if (file === undefined || file === '-') return;
  try {
    const found = await stat(file).catch(() => undefined);
    if (found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    await access(found ? file : dirname(file), constants.W_OK);
  } catch (thrown) {
    throw usageError(`The file of -o cannot be written (${(thrown as NodeJS.ErrnoException).code}).`);
  }
}

/** Throws a refusal for binary content on a terminal, and for a file that cannot be written. */
export async function writeAnswer(
  answer: InvocationResult,
  { file, withHead, withBody }: WrittenAs,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const body = withBody ? Buffer.from(answer.body, answer.bodyEncoding) : Buffer.alloc(0);
  if (file !== undefined && file !== '-') {
    const head = withHead ? Buffer.from(headOf(answer).join('\r\n'), 'latin1') : Buffer.alloc(0);
    await writeToFile(file, Buffer.concat([head, body]), context);
    return;
  }
  const isShown = output.isTerminal && file === undefined;
  if (withHead) {
    const lines = headOf(answer);
    if (isShown) output.raw(lines.map(escapeForTerminal).join('\n'));
    else output.raw(Buffer.from(lines.join('\r\n'), 'latin1'));
  }
  if (isShown && isBinary(body)) {
    throw refusal(
      'binary-answer',
      'The response is not plain text and could disturb your terminal. Write it to a file with -o FILE, or to the terminal with -o -.',
    );
  }
  output.raw(body);
}

/** Writes into an existing file, like curl, so that its mode and links stay. Never leaves a part of an answer. */
async function writeToFile(file: string, content: Buffer, context: CommandContext): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  try {
    // Writing to a pipe can block.
    if (found && !found.isFile()) await writeFile(file, content);
    // After `interrupted` was read, a signal is handled after this synchronous write.
    else if (!context.interrupted.aborted) writeWhole(file, content);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw refusal('not-written', `The response cannot be written to the file of -o (${code}).`);
  }
}

function writeWhole(file: string, content: Buffer): void {
  const descriptor = openSync(file, 'w');
  try {
    writeFileSync(descriptor, content);
  } catch (thrown) {
    rmSync(file, { force: true });
    throw thrown;
  } finally {
    closeSync(descriptor);
  }
}

/** Ends in an empty line. HTTP/1.1 is the version that Countersign uses; the reason phrase is not passed on. */
function headOf({ status, headers }: InvocationResult): string[] {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${(one as string).replaceAll(/[\r\n]/g, ' ')}`),
  );
  return [`HTTP/1.1 ${status}`, ...lines, '', ''];
}

/** Not UTF-8, or with control characters other than tab and line break. */
function isBinary(body: Buffer): boolean {
  const text = body.toString('utf8');
  return text.includes('\ufffd') || /[^\P{Cc}\t\r\n]|[\p{Cf}\p{Zl}\p{Zp}]/u.test(text.replace(/^\ufeff/, ''));
}
