// PEM (RFC 7468): one reader for everything that holds PEM text, and the writer of a block.
import { X509Error } from './der.ts';

export interface PemBlock {
  /** The text after BEGIN: `CERTIFICATE`, `EC PRIVATE KEY`, … */
  readonly label: string;
  /** From its BEGIN line to its END line, with one line feed after it. */
  readonly text: string;
  /** RFC 1421's headers (`dek-info`), with names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The octets; undefined if the text between the lines is not base64. */
  readonly bytes: Buffer | undefined;
  /** False if the END line is missing; `text` and `bytes` then reach up to the next block. */
  readonly hasEnd: boolean;
}

const begin = /-----BEGIN ([A-Z0-9 ]{1,64})-----/g;

/** The blocks in their order, undamaged or not; text around them is ignored. Throws nothing. */
export function readPem(text: string): PemBlock[] {
  const starts = [...text.matchAll(begin)];
  return starts.map((match, index) => {
    const label = match[1] as string;
    const endLine = `-----END ${label}-----`;
    const from = match.index + match[0].length;
    const upTo = starts[index + 1]?.index ?? text.length;
    const end = text.slice(from, upTo).indexOf(endLine);
    const stop = end === -1 ? upTo : from + end;
    const block = `${text.slice(match.index, stop)}${end === -1 ? '' : `${endLine}\n`}`;
    // A copy, not a slice: V8 keeps the text that a slice was cut from in memory.
    const copy = Buffer.from(block, 'latin1').toString('latin1');
    return { label, text: copy, ...readBody(text.slice(from, stop)), hasEnd: end !== -1 };
  });
}

/**
 * `where` names the text in the sentence. Throws X509Error `pem-malformed`: a block has no END line, or `\n` is spelled
 * out.
 */
export function pemBlocks(text: string, where: string): PemBlock[] {
  if (text.includes('-----\\n')) {
    throw new X509Error('pem-malformed', where, `${where} holds the characters \\n in place of line breaks.`);
  }
  const blocks = readPem(text);
  if (blocks.every(({ hasEnd }) => hasEnd)) return blocks;
  throw new X509Error('pem-malformed', where, `${where} holds a PEM block that does not end.`);
}

function readBody(text: string): Pick<PemBlock, 'headers' | 'bytes'> {
  const headers = new Map<string, string>();
  const body: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/).map((each) => each.trim())) {
    const header = body.length === 0 ? /^([A-Za-z][A-Za-z0-9-]{0,63}):(.*)$/.exec(line) : null;
    if (header) headers.set((header[1] as string).toLowerCase(), (header[2] as string).trim());
    else if (line !== '') body.push(line);
  }
  return { headers, bytes: decodeBase64(body.join('')) };
}

/** White space is ignored. Undefined if the text is empty or has any other character that is not base64. */
export function decodeBase64(text: string): Buffer | undefined {
  const digits = text.replaceAll(/\s/g, '');
  if (digits === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return undefined;
  return Buffer.from(digits, 'base64');
}

/** One block with lines of 64 characters. */
export function writePem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
