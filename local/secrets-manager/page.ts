// Lists in pages: a NextToken says after which entry to go on, so that entries made or removed meanwhile shift nothing.
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly NextToken?: string;
}

interface PageRequest<Item> {
  /** Unique for each entry; entries are listed in the order of their keys. */
  readonly keyOf: (item: Item) => string;
  readonly descending?: boolean;
  readonly size: number;
  readonly token: string | undefined;
  /** What the list is of; a token of another list, or of other filters, is refused. */
  readonly list: unknown;
}

const tokenSchema = v.strictTuple([v.string(), v.string()]);

/** Throws InvalidNextTokenException. */
export function pageOf<Item>(items: readonly Item[], request: PageRequest<Item>): Page<Item> {
  const { keyOf, size, token } = request;
  const list = createHash('sha256').update(JSON.stringify(request.list)).digest('base64url').slice(0, 16);
  const after = token === undefined ? undefined : readToken(token, list);
  const sign = request.descending ? -1 : 1;
  const rest = items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((one, other) => sign * compare(one.key, other.key))
    .filter(({ key }) => after === undefined || sign * compare(key, after) > 0);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    ...(last && rest.length > size ? { NextToken: writeToken(list, last.key) } : {}),
  };
}

/** A time and a name as one key that sorts by time, then by name. */
export function timeKey(milliseconds: number, name: string): string {
  return `${String(milliseconds).padStart(15, '0')} ${name}`;
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function writeToken(list: string, key: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

function readToken(token: string, list: string): string {
  try {
    const [tokenList, key] = v.parse(tokenSchema, JSON.parse(Buffer.from(token, 'base64url').toString()));
    if (tokenList === list) return key;
  } catch {
    // Not one of ours; the same answer as for one of another list.
  }
  throw new AwsError('InvalidNextTokenException', 'The NextToken value is invalid.');
}
