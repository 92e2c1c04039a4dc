// An EventBridge on loopback: PutEvents for the real SDK and the AWS CLI; it keeps what it takes and sends it nowhere.
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { parseInput } from '../aws-protocol/input.ts';
import { startAwsServer } from '../aws-protocol/server.ts';
import { type BusEvent, type EntryFailure, entrySchema, eventOf, sizeOf } from './event.ts';
import { openJournal } from './journal.ts';

export interface EventBusOptions {
  /** Of JSON lines, one event each; made when it is not there (0600). */
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
  /** The latest 1000, of every bus, oldest first; those of earlier runs among them. */
  readonly events: readonly BusEvent[];
  close(): Promise<void>;
}

const mostEvents = 1000;
/** API reference, PutEvents: up to 10 entries, less than 1 MB in all (256 KB until 2025). */
const limits = { entries: 10, bytes: 1024 * 1024 } as const;
/** 1 MB of entries, with what JSON in JSON has to escape. */
const maxBodyBytes = 4 * 1024 * 1024;

const putEventsSchema = v.object({
  Entries: v.pipe(v.array(entrySchema), v.minLength(1), v.maxLength(limits.entries)),
  EndpointId: v.exactOptional(v.string()),
});

/** Throws an Error of one sentence when the port is taken or the file cannot be used. */
export async function startEventBus(options: EventBusOptions): Promise<EventBus> {
  const { file, port, host = '127.0.0.1', now = Date.now, region = 'us-east-1' } = options;
  const journal = await openJournal(file, mostEvents);

  /** An entry that is refused is an answer of its own; the others are taken all the same. */
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
