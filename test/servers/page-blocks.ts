// The configurations of docs/customers.md as they stand there, with paths, names and ports of this machine put in.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const pageText = readFileSync(join(import.meta.dirname, '../../docs/customers.md'), 'utf8');

export interface Place {
  /** Stands for /etc/ssl/api. */
  readonly folder: string;
  readonly port: number;
  /** Where the API behind the server answers in plain HTTP. */
  readonly behind: number;
  /**
   * Whether the lines that let in one subject alone, which are comments on the page, are to be none; or what stands in
   * their place.
   */
  readonly compares?: boolean | string;
}

/** Every block of that language, in the order of the page. */
export function blocksOf(language: string): string[] {
  return [...pageText.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text as string);
}

export const languages = [...new Set([...pageText.matchAll(/^```(\w+)$/gm)].map(([, name]) => name as string))];

/**
 * `listens` is the line of the block that listens on port 443 of every interface, and `instead` sets the port
 * and loopback. A block with another line is rejected as untested.
 */
export function localize(block: string, place: Place, listens: string, instead: string): string {
  if (!block.includes(listens)) throw new Error(`The block does not say "${listens}".`);
  return (place.compares ? comparing(block, place.compares) : block)
    .replaceAll(listens, instead)
    .replaceAll('/etc/ssl/api', place.folder)
    .replaceAll('api.acme.example', 'localhost')
    .replaceAll('8080', String(place.behind));
}

/** As a reader of the page does: removes the comment signs of the lines below the one that ends with "alone:". */
function comparing(block: string, compares: true | string): string {
  const lines = block.split('\n');
  const above = lines.findIndex((line) => /^\s*(#|\/\/) Of all that .* alone:$/.test(line));
  if (above < 0) throw new Error('The block does not compare the subject.');
  const below = lines.slice(above + 1);
  const count = below.findIndex((line) => !/^\s*(#|\/\/) /.test(line));
  const bare = below.slice(0, count).map((line) => line.replace(/(#|\/\/) /, ''));
  return [...lines.slice(0, above), ...(compares === true ? bare : [compares]), ...below.slice(count)].join('\n');
}
