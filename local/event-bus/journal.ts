// The events that were taken, the latest of them, in memory and in a file of JSON lines that a restart reads again.
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import * as v from 'valibot';
import type { BusEvent } from './event.ts';

export interface Journal {
  /** Oldest first. */
  readonly events: readonly BusEvent[];
  /** Resolves when they are in the file; one after the other. */
  add(events: readonly BusEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** The file is written anew with the events that are kept when it has come to this many bytes of others. */
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

/** Throws a one-sentence Error when the file cannot be used; it is left as it is. A last line that was cut off is dropped. */
export async function openJournal(file: string, mostEvents: number): Promise<Journal> {
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
      throw new Error(`Line ${index + 1} of the file ${file} is no event: delete the file, or that line.`);
    });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Whole or not at all: written beside it, flushed, renamed. @returns what to append to */
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
