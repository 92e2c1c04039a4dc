// The body and the headers of an invocation, from options like curl's.
import { isUtf8 } from 'node:buffer';
import { readUpTo } from '../../core/files.ts';
import { limits } from '../../core/settings.ts';
import type { CommandContext } from '../context.ts';
import { usageError } from '../exit-code.ts';

type ReadInput = CommandContext['readInput'];

export interface DataPart {
  /** `data` removes line breaks from files, `binary` keeps them, `raw` reads no files. */
  readonly kind: 'data' | 'binary' | 'raw';
  /** `@file` names a file, `@-` standard input. */
  readonly value: string;
}

/** The limit for a whole request. */
const maxBytes = limits.maxEventBytes;

/** Joins the parts with `&`. Undefined without parts. Throws a usage error. */
export async function requestBody(parts: readonly DataPart[], readInput: ReadInput): Promise<Buffer | undefined> {
  if (parts.length === 0) return undefined;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (const [index, part] of parts.entries()) {
    const piece = await bytesOf(part, readInput);
    bytes += piece.length + (index > 0 ? 1 : 0);
    if (bytes > maxBytes) throw tooLarge();
    if (index > 0) pieces.push(Buffer.from('&'));
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes);
}

/** Text if the bytes are UTF-8, else base64. */
export function bodyField(body: Buffer): { readonly body: string } | { readonly bodyBase64: string } {
  return isUtf8(body) ? { body: body.toString('utf8') } : { bodyBase64: body.toString('base64') };
}

async function bytesOf({ kind, value }: DataPart, readInput: ReadInput): Promise<Buffer> {
  if (kind === 'raw' || !value.startsWith('@')) return Buffer.from(value);
  const path = value.slice(1);
  if (path === '')
    throw usageError('-d and --data-binary need the name of a file after the @, or - for standard input.');
  const content = await readInput(path, maxBytes + 1);
  // curl(1), --data: carriage returns, line feeds and null bytes are removed from a file.
  return kind === 'binary' ? content : Buffer.from(content.filter((byte) => byte !== 13 && byte !== 10 && byte !== 0));
}

function tooLarge(): Error {
  return usageError(`The body has more than ${maxBytes} bytes, the limit for a request.`);
}

export type Headers = Record<string, string | string[]>;

/** A request has at most 32768 bytes of headers (docs/api.md). */
const maxFileBytes = 64 * 1024;

/**
 * Reads lines like curl's -H: `Name: value`, `Name;` for an empty value, `Name:` to leave a default out, `@file` for a
 * file of lines. Repeated names get a list of values. `defaults` are added unless a line names them. Throws a usage
 * error that quotes nothing, because a value can be a token.
 */
export async function requestHeaders(
  lines: readonly string[],
  defaults: Readonly<Record<string, string>>,
): Promise<Headers | undefined> {
  const fields = new Map<string, { readonly name: string; readonly values: string[] }>();
  const named = new Set<string>();
  for (const line of await withFiles(lines)) {
    const { name, value } = readLine(line);
    const key = name.toLowerCase();
    named.add(key);
    if (value === undefined) continue;
    const known = fields.get(key);
    if (known) known.values.push(value);
    else fields.set(key, { name, values: [value] });
  }
  for (const [name, value] of Object.entries(defaults)) {
    if (!named.has(name)) fields.set(name, { name, values: [value] });
  }
  if (fields.size === 0) return undefined;
  const entries = [...fields.values()].map(({ name, values: [first = '', ...more] }) => {
    return [name, more.length > 0 ? [first, ...more] : first] as const;
  });
  return Object.fromEntries(entries);
}

async function withFiles(lines: readonly string[]): Promise<string[]> {
  const all = lines.map(async (line) => (line.startsWith('@') ? await linesOf(line.slice(1)) : [line]));
  return (await Promise.all(all)).flat();
}

async function linesOf(path: string): Promise<string[]> {
  const { bytes } = await readUpTo(path, maxFileBytes + 1).catch(({ code = 'unknown' }: NodeJS.ErrnoException) => {
    throw usageError(`The file of headers ${path} cannot be read (${code}).`);
  });
  if (bytes.length > maxFileBytes) throw usageError(`A file of headers has at most ${maxFileBytes} bytes.`);
  return bytes
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
}

function readLine(line: string): { readonly name: string; readonly value: string | undefined } {
  const [, name, separator, rest = ''] = /^([^:;]*)([:;])(.*)$/s.exec(line) ?? [];
  const value = rest.trim();
  if (!name || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || (separator === ';' && value !== '')) {
    throw usageError(
      '-H takes "Name: value", "Name;" for an empty one, "Name:" to leave one out, or @FILE for a file of such lines.',
    );
  }
  if (separator === ';') return { name, value: '' };
  return { name, value: value === '' ? undefined : value };
}
