// Takes PEM text apart (RFC 7468) as forgivingly as it is written: byte order marks, UTF-16, CRLF, indentation, text around.
import { refused } from './finding.ts';

export interface PemBlock {
  /** What stands after BEGIN. */
  readonly label: string;
  /** RFC 1421's headers, `DEK-Info` say; names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Undefined when the text between the lines is no base64. */
  readonly bytes: Buffer | undefined;
  readonly hasEnd: boolean;
}

/** The text of a file that may be UTF-16, as PowerShell and Windows' editors write it. */
export function textOf(bytes: Buffer): string {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return bytes.toString('utf16le', 2);
  if (first === 0xfe && second === 0xff) return swapped(bytes.subarray(2));
  if (first === 0xef && second === 0xbb && third === 0xbf) return bytes.toString('latin1', 3);
  if (bytes.subarray(0, 512).includes('-\0-\0')) {
    return bytes.indexOf('-\0-\0') % 2 === 0 ? bytes.toString('utf16le') : swapped(bytes);
  }
  return bytes.toString('latin1');
}

function swapped(bytes: Buffer): string {
  return Buffer.from(bytes.subarray(0, bytes.length & ~1))
    .swap16()
    .toString('utf16le');
}

const begin = /-----BEGIN ([A-Z0-9 ]{1,64})-----/g;

/** Throws `too-many-objects` beyond `mostBlocks`. */
export function pemBlocks(text: string, where: string, mostBlocks: number): PemBlock[] {
  // Line breaks that a shell or JSON spelled out.
  const lines = text.includes('-----\\n') ? text.replaceAll('\\r', '').replaceAll('\\n', '\n') : text;
  const starts = [...lines.matchAll(begin)];
  if (starts.length > mostBlocks) {
    throw refused('too-many-objects', where, `${where} holds more than ${mostBlocks} PEM blocks.`);
  }
  return starts.map((match, index) => {
    const label = match[1] as string;
    const from = match.index + match[0].length;
    const upTo = starts[index + 1]?.index ?? lines.length;
    const end = lines.slice(from, upTo).indexOf(`-----END ${label}-----`);
    return { label, ...bodyOf(lines.slice(from, end === -1 ? upTo : from + end)), hasEnd: end !== -1 };
  });
}

function bodyOf(text: string): { headers: Map<string, string>; bytes: Buffer | undefined } {
  const headers = new Map<string, string>();
  const body: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/).map((each) => each.trim())) {
    const header = body.length === 0 ? /^([A-Za-z][A-Za-z0-9-]{0,63}):(.*)$/.exec(line) : null;
    if (header) headers.set((header[1] as string).toLowerCase(), (header[2] as string).trim());
    else if (line !== '') body.push(line);
  }
  return { headers, bytes: fromBase64(body.join('')) };
}

/** Undefined when there is anything else in it but spaces. */
export function fromBase64(text: string): Buffer | undefined {
  const digits = text.replaceAll(/\s/g, '');
  if (digits === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return undefined;
  return Buffer.from(digits, 'base64');
}
