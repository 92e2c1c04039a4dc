// The body of an invocation as curl's options make it: texts, files and standard input, joined by `&`.
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { ByteCollector } from '../../core/byte-collector.ts';
import { limits } from '../../core/settings.ts';
import { usageError } from '../exit-code.ts';

export interface DataPart {
  /** `data` reads files without their line breaks, `binary` as they are, `raw` none. */
  readonly kind: 'data' | 'binary' | 'raw';
  /** `@file` is a file, `@-` standard input. */
  readonly value: string;
}

/** What a request may have as a whole; there is no use in sending more. */
const maxBytes = limits.maxEventBytes;

/** Undefined without parts. Throws a usage error. */
export async function requestBody(
  parts: readonly DataPart[],
  stdin: AsyncIterable<Buffer | string>,
): Promise<Buffer | undefined> {
  if (parts.length === 0) return undefined;
  if (parts.filter(({ kind, value }) => kind !== 'raw' && value === '@-').length > 1) {
    throw usageError('Standard input can be read once: give @- once.');
  }
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (const [index, part] of parts.entries()) {
    const piece = await bytesOf(part, stdin);
    bytes += piece.length + (index > 0 ? 1 : 0);
    if (bytes > maxBytes) throw tooLarge();
    if (index > 0) pieces.push(Buffer.from('&'));
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes);
}

/** As the request has it: text where the bytes are UTF-8, base64 otherwise. */
export function bodyField(body: Buffer): { readonly body: string } | { readonly bodyBase64: string } {
  return isUtf8(body) ? { body: body.toString('utf8') } : { bodyBase64: body.toString('base64') };
}

async function bytesOf({ kind, value }: DataPart, stdin: AsyncIterable<Buffer | string>): Promise<Buffer> {
  if (kind === 'raw' || !value.startsWith('@')) return Buffer.from(value);
  const path = value.slice(1);
  if (path === '')
    throw usageError('-d and --data-binary need the name of a file behind the @, or - for standard input.');
  const content = await collect(path === '-' ? stdin : createReadStream(path), path);
  // curl(1), --data: carriage returns, line feeds and null bytes are stripped out of a file.
  return kind === 'binary' ? content : Buffer.from(content.filter((byte) => byte !== 13 && byte !== 10 && byte !== 0));
}

async function collect(stream: AsyncIterable<Buffer | string>, path: string): Promise<Buffer> {
  const collector = new ByteCollector({ maxBytes });
  try {
    for await (const chunk of stream) {
      if (!collector.add(Buffer.from(chunk as Buffer))) throw tooLarge();
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'usage') throw thrown;
    throw usageError(`${path === '-' ? 'Standard input' : `The file ${path}`} cannot be read (${code ?? 'Error'}).`);
  }
  return collector.bytes;
}

function tooLarge(): Error {
  return usageError(`The body has more than ${maxBytes} bytes, which is the most that a request may have.`);
}
