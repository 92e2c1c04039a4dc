// Validates an entry of PutEvents and converts it to an event, as EventBridge does.
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';

/** "AWS service event metadata" in the EventBridge Events Reference; `bus` is an addition: all buses share one list. */
export interface BusEvent {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  /** RFC 3339, in seconds. */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: object;
  readonly bus: string;
}

const text = v.exactOptional(v.string());

/**
 * All fields are optional here: an incomplete entry fails without failing the others (API reference,
 * PutEventsRequestEntry).
 */
export const entrySchema = v.object({
  Source: text,
  DetailType: text,
  Detail: text,
  EventBusName: text,
  Resources: v.exactOptional(v.array(v.string())),
  /** Seconds since 1970; the JSON protocol's form of a date. */
  Time: v.exactOptional(v.number()),
  TraceHeader: text,
});

export type Entry = v.InferOutput<typeof entrySchema>;

export interface EntryFailure {
  readonly ErrorCode: 'InvalidArgument' | 'MalformedDetail' | 'NotAuthorizedForSourceException';
  readonly ErrorMessage: string;
}

/** API reference, PutEvents: "will only process nested JSON up to 1000 levels deep". */
const mostLevels = 1000;
const account = '000000000000';

/** Never quotes an entry. */
export function eventOf(entry: Entry, region: string, now: number): BusEvent | EntryFailure {
  for (const field of ['Source', 'DetailType', 'Detail'] as const) {
    if (!entry[field]) return notValid(field, `${field} is a required argument.`);
  }
  const {
    Source: source = '',
    DetailType: detailType = '',
    Detail: detailText = '',
    Resources: resources = [],
  } = entry;
  if (detailType.length > 128) return notValid('DetailType', 'DetailType is longer than 128 characters.');
  if (source.startsWith('aws.')) {
    return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  }
  const bus = busNameOf(entry.EventBusName ?? 'default');
  if (bus === undefined) return notValid('EventBusName', 'EventBusName is not a name or ARN of an event bus.');
  const detail = parseDetail(detailText);
  if (detail === undefined) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  const time = new Date(entry.Time === undefined ? now : entry.Time * 1000);
  if (Number.isNaN(time.getTime())) return notValid('Time', 'Time is not a date.');
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': detailType,
    source,
    account,
    time: `${time.toISOString().slice(0, -5)}Z`,
    region,
    resources,
    detail,
    bus,
  };
}

/** Bytes, as EventBridge counts them (User Guide, "Calculating PutEvents event entry size"). */
export function sizeOf({ Time: time, Source, DetailType, Detail, Resources = [] }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources].filter((one) => one !== undefined);
  return texts.reduce((sum, one) => sum + Buffer.byteLength(one), time === undefined ? 0 : 14);
}

/** API reference, PutEventsRequestEntry, EventBusName. */
function busNameOf(nameOrArn: string): string | undefined {
  const arn = /^arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus\/([/.\-_A-Za-z0-9]{1,256})$/.exec(nameOrArn);
  return arn?.[1] ?? (/^[/.\-_A-Za-z0-9]{1,256}$/.test(nameOrArn) ? nameOrArn : undefined);
}

function parseDetail(text: string): object | undefined {
  try {
    const detail: unknown = JSON.parse(text);
    const isObject = typeof detail === 'object' && detail !== null && !Array.isArray(detail);
    return isObject && levelsOf(text) <= mostLevels ? detail : undefined;
  } catch {
    return undefined;
  }
}

/** The depth of valid JSON. Invalid JSON with an unterminated string would take quadratic time. */
function levelsOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function notValid(field: string, reason: string): EntryFailure {
  return { ErrorCode: 'InvalidArgument', ErrorMessage: `Parameter ${field} is not valid. Reason: ${reason}` };
}
