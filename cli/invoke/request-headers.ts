// The headers of an invocation as curl's -H gives them: `Name: value`, `Name;` for an empty one, `Name:` for none, `@file`.
import { open } from 'node:fs/promises';
import { usageError } from '../exit-code.ts';

export type Headers = Record<string, string | string[]>;

/** docs/api.md: a request has 32768 bytes of headers at most. */
const maxFileBytes = 64 * 1024;

/**
 * A name that stands twice gets the list of its values. `defaults` are added unless the lines name them.
 * Throws a usage error that quotes nothing: a token may stand there.
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
  let text: string;
  try {
    await using file = await open(path);
    const buffer = Buffer.alloc(maxFileBytes + 1);
    // A pipe, which `<(…)` of a shell is, is read in pieces.
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, bytes, buffer.length - bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      if (bytes > maxFileBytes) throw usageError(`A file of headers has at most ${maxFileBytes} bytes.`);
    }
    text = buffer.toString('utf8', 0, bytes);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'usage') throw thrown;
    throw usageError(`The file of headers ${path} cannot be read (${code ?? 'Error'}).`);
  }
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}

function readLine(line: string): { readonly name: string; readonly value: string | undefined } {
  const [, name, separator, rest = ''] = /^([^:;]*)([:;])(.*)$/s.exec(line) ?? [];
  const value = rest.trim();
  if (!name || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || (separator === ';' && value !== '')) {
    throw usageError(
      '-H takes "Name: value", "Name;" for an empty one, "Name:" to leave one out, or @ and a file of such lines.',
    );
  }
  if (separator === ';') return { name, value: '' };
  return { name, value: value === '' ? undefined : value };
}
