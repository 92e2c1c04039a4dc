// Takes PEM text apart (RFC 7468): the blocks in it, in order; the text around them is explanatory and dropped.
import { unusable } from '../identity/unusable.ts';

export interface PemBlock {
  /** What stands after BEGIN: `CERTIFICATE`, `EC PRIVATE KEY`, … */
  readonly label: string;
  /** The block with its BEGIN and END lines and one line feed after them. */
  readonly text: string;
}

/** The octets of a block, RFC 1421's headers passed over. What is no base64 in it OpenSSL refuses. */
export function octetsOf({ text }: PemBlock): Buffer {
  const lines = text.split('\n').filter((line) => !line.startsWith('-----') && !line.includes(':'));
  return Buffer.from(lines.join(''), 'base64');
}

const begin = /-----BEGIN ([A-Z0-9 ]+)-----/g;

/** `where` names the text in the error. Throws `identity-unusable` when a block has no end or a key came in with `\n` spelled out. */
export function pemBlocks(text: string, where: string): PemBlock[] {
  if (text.includes('-----\\n')) {
    throw unusable('pem-malformed', where, `${where} holds the characters \\n in place of line breaks.`);
  }
  const blocks: PemBlock[] = [];
  begin.lastIndex = 0;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    const label = match[1] as string;
    const endLine = `-----END ${label}-----`;
    const end = text.indexOf(endLine, begin.lastIndex);
    if (end === -1) throw unusable('pem-malformed', where, `${where} holds a PEM block that does not end.`);
    // A copy, not a slice: V8 lets a slice keep the whole text it was cut from alive.
    const block = Buffer.from(`${text.slice(match.index, end)}${endLine}\n`, 'latin1').toString('latin1');
    blocks.push({ label, text: block });
    begin.lastIndex = end + endLine.length;
  }
  return blocks;
}
