// An EventBridge on loopback: PutEvents for the real SDK and the AWS CLI. Events go to a journal and are sent nowhere.

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { parseInput, startAwsServer } from '../aws-protocol/server.ts';
import { type BusEvent, type EntryFailure, entrySchema, eventOf, sizeOf } from './event.ts';

export interface EventBusOptions {
  /** JSON lines, one event each; created if absent (0600). */
  readonly file: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Must be loopback. */
  readonly host?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly region?: string;
}

export interface EventBus {
  /** For AWS_ENDPOINT_URL_EVENTBRIDGE and `aws --endpoint-url`. */
  readonly url: string;
  /** The latest 1000 of all buses, oldest first, including earlier runs. */
  readonly events: readonly BusEvent[];
  close(): Promise<void>;
}

const mostEvents = 1000;
/** API reference, PutEvents: up to 10 entries, less than 1 MB in all (256 KB until 2025). */
const limits = { entries: 10, bytes: 1024 * 1024 } as const;
/** 1 MB of entries, plus the escaping of JSON in JSON. */
const maxBodyBytes = 4 * 1024 * 1024;

const putEventsSchema = v.object({
  Entries: v.pipe(v.array(entrySchema), v.minLength(1), v.maxLength(limits.entries)),
  EndpointId: v.exactOptional(v.string()),
});

/** Throws an Error of one sentence when the port is taken or the file cannot be used. */
export async function startEventBus(options: EventBusOptions): Promise<EventBus> {
  const { file, port, host = '127.0.0.1', now = Date.now, region = 'us-east-1' } = options;
  const journal = await openJournal(file, mostEvents);

  /** A rejected entry does not affect the others. */
  async function putEvents(body: object): Promise<object> {
    const { Entries: entries } = parseInput(putEventsSchema, body);
    if (entries.reduce((sum, entry) => sum + sizeOf(entry), 0) >= limits.bytes) {
      throw new AwsError('ValidationException', 'Total size of the entries in the request is over the limit.');
    }
    if (!entries.some(({ Source, DetailType, Detail }) => Source && DetailType && Detail)) {
      throw new AwsError('ValidationException', 'No entry has Source, DetailType and Detail.');
    }
    const made = entries.map((entry) => eventOf(entry, region, now()));
    await journal.add(made.filter((one): one is BusEvent => !isFailure(one)));
    return {
      FailedEntryCount: made.filter(isFailure).length,
      Entries: made.map((one) => (isFailure(one) ? one : { EventId: one.id })),
    };
  }

  const server = await startAwsServer({
    service: { target: 'AWSEvents', signingName: 'events', maxBodyBytes },
    actionNamed(name) {
      if (name === 'PutEvents') return putEvents;
      throw new AwsError('UnknownOperationException', 'There is no such operation here.');
    },
    internalError: (cause) =>
      new AwsError('InternalException', 'Something unexpected happened inside the local event bus.', { cause }),
    port,
    host,
    what: 'the event bus',
    option: '--events-port',
  }).catch(async (error) => {
    await journal.close();
    throw error;
  });

  let closed: Promise<void> | undefined;
  return {
    url: server.url,
    events: journal.events,
    close() {
      closed ??= server.close().then(() => journal.close());
      return closed;
    },
  };
}

function isFailure(made: BusEvent | EntryFailure): made is EntryFailure {
  return 'ErrorCode' in made;
}

interface Journal {
  /** Oldest first. */
  readonly events: readonly BusEvent[];
  /** Resolves when they are in the file. Calls run one after the other. */
  add(events: readonly BusEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** The file is rewritten when it has this many bytes of discarded events. */
const mostStaleBytes = 1024 * 1024;

const eventSchema = v.looseObject({
  version: v.literal('0'),
  id: v.string(),
  'detail-type': v.string(),
  source: v.string(),
  account: v.string(),
  time: v.string(),
  region: v.string(),
  resources: v.array(v.string()),
  detail: v.custom<object>((detail) => typeof detail === 'object' && detail !== null),
  bus: v.string(),
});

/**
 * Throws a one-sentence Error if the file cannot be used, and leaves it unchanged. An incomplete last line is dropped.
 */
async function openJournal(file: string, mostEvents: number): Promise<Journal> {
  const lines = (await readLines(file)).slice(-mostEvents);
  const events = lines.map(({ event }) => event);
  const sizes = lines.map(({ bytes }) => bytes);
  let handle = await writeAnew(file, events);
  let written = 0;
  let line: Promise<void> = Promise.resolve();

  async function append(added: readonly BusEvent[]): Promise<void> {
    const texts = added.map((event) => `${JSON.stringify(event)}\n`);
    await handle.appendFile(texts.join(''));
    for (const [index, event] of added.entries()) {
      const bytes = Buffer.byteLength(texts[index] as string);
      events.push(event);
      sizes.push(bytes);
      written += bytes;
    }
    events.splice(0, Math.max(0, events.length - mostEvents));
    sizes.splice(0, Math.max(0, sizes.length - mostEvents));
    if (written < mostStaleBytes + sizes.reduce((sum, size) => sum + size, 0)) return;
    await handle.close();
    handle = await writeAnew(file, events);
    written = 0;
  }

  return {
    events,
    add(added) {
      const done = line.then(() => append(added));
      line = done.catch(() => undefined);
      return done;
    },
    async close() {
      await line;
      await handle.close();
    },
  };
}

async function readLines(file: string): Promise<{ event: BusEvent; bytes: number }[]> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw new Error(`The file ${file} cannot be read (${cause.code}): delete it.`, { cause });
  });
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, index) => {
      const parsed = v.safeParse(eventSchema, parseJson(line));
      if (parsed.success) return { event: parsed.output, bytes: Buffer.byteLength(line) + 1 };
      throw new Error(`Line ${index + 1} of the file ${file} is not an event: delete the file, or that line.`);
    });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Replaces the file atomically. @returns the handle for appending */
async function writeAnew(file: string, events: readonly BusEvent[]) {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'ax', 0o600);
    await handle.appendFile(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    await handle.sync();
    await rename(temporary, file);
    return handle;
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Error(`The file ${file} cannot be written (${(cause as NodeJS.ErrnoException).code}).`, { cause });
  }
}
