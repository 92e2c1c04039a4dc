// The console's state: read from the identity source, kept for a second, and filtered by what the caller can use.

import { BoundedMap } from '../core/bounded-map.ts';
import { CountersignError } from '../core/errors.ts';
import type { IdentitySource, Stage } from '../core/identity/identity.ts';
import { createSemaphore } from '../core/identity/semaphore.ts';
import { createVersionStatusCache, destinationStates, type LoadedIdentity, loadIdentity } from './identity-state.ts';
import type { RecentVerdicts } from './recent-verdicts.ts';
import type { ConsoleState, EventState, RotationState } from './state.ts';

export interface ConsoleParts {
  readonly place: ConsoleState['place'];
  readonly source: IdentitySource;
  /** The stages that the source supports. */
  readonly stages: readonly Stage[];
  /** Names of all identities; may reject. */
  names(): Promise<readonly string[]>;
  readonly verdicts: RecentVerdicts;
  /** Absent where nothing rotates. */
  readonly rotations?: Rotations;
  /** Latest first; absent where there is no event bus. */
  events?(): readonly EventState[];
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface Rotations {
  /** Undefined if there is no such identity. */
  state(name: string): Promise<RotationState | undefined>;
  /** May reject. */
  begin(name: string): Promise<'begun' | 'under-way' | 'not-set-up'>;
}

/** Undefined without authentication: every caller can then use every identity. */
export interface ConsoleCaller {
  readonly name: string;
  mayUse(identity: string): boolean;
}

export interface Console {
  readonly parts: ConsoleParts;
  /** Rejects with `identity-unavailable` if the names cannot be listed. */
  state(caller: ConsoleCaller | undefined): Promise<ConsoleState>;
  /** Call it after a change to the identity, so that the next state reads it again. */
  forget(name: string): void;
}

const maxIdentities = 200;
const maxEvents = 50;
const maxConcurrentReads = 8;
/**
 * How long a read is reused, in milliseconds from its end: several pages that poll cost one read, and a read that takes
 * longer is not repeated at once.
 */
const reuseMs = 1_000;
/** Of all callers that have the console open. */
const maxReads = 2_000;

interface IdentityRead {
  readonly identity: Promise<LoadedIdentity>;
  readonly rotation: Promise<RotationState | undefined> | undefined;
}

interface Reusable<Value> {
  readonly value: Value;
  /** Undefined while it is being read. */
  endedAt: number | undefined;
}

export function openConsole(parts: ConsoleParts): Console {
  const { source, stages, verdicts, rotations, now = Date.now } = parts;
  const gate = createSemaphore(maxConcurrentReads, 100_000);
  const statuses = createVersionStatusCache();
  const reads = new BoundedMap<string, Reusable<IdentityRead>>({ maxEntries: maxReads });
  let namesRead: Reusable<Promise<readonly string[]>> | undefined;

  function isFresh(read: Reusable<unknown>): boolean {
    return read.endedAt === undefined || now() - read.endedAt < reuseMs;
  }

  function reusable<Value>(value: Value, pending: readonly unknown[]): Reusable<Value> {
    const read: Reusable<Value> = { value, endedAt: undefined };
    void Promise.allSettled(pending).then(() => {
      read.endedAt = now();
    });
    return read;
  }

  function names(): Promise<readonly string[]> {
    if (namesRead === undefined || !isFresh(namesRead)) {
      const reading = parts.names().catch(throwUnavailable);
      namesRead = reusable(reading, [reading]);
    }
    return namesRead.value;
  }

  function read(name: string): IdentityRead {
    const known = reads.get(name);
    if (known !== undefined && isFresh(known)) return known.value;
    const identity = gate.run(() => loadIdentity(source, name, stages, statuses, now()));
    const rotation = rotations?.state(name).catch(() => undefined);
    const fresh = reusable({ identity, rotation }, [identity, rotation]);
    reads.set(name, fresh);
    return fresh.value;
  }

  return {
    parts,
    forget: (name) => reads.delete(name),
    async state(caller) {
      const all = [...(await names())].filter((name) => caller?.mayUse(name) ?? true).sort();
      const shown = all.slice(0, maxIdentities).map(read);
      const identities = await Promise.all(
        shown.map(async (pending) => {
          const { state, destinations } = await pending.identity;
          const rotation = await pending.rotation;
          return {
            ...state,
            destinations: destinationStates(destinations, verdicts.of(state.name)),
            ...(rotation && { rotation }),
          };
        }),
      );
      const events = parts.events?.().filter(({ identity }) => caller?.mayUse(identity) ?? true);
      return {
        now: new Date(now()).toISOString(),
        place: parts.place,
        ...(caller && { caller: caller.name }),
        mayRotate: rotations !== undefined,
        identities,
        furtherIdentities: all.length - shown.length,
        ...(events && { events: events.slice(0, maxEvents) }),
      };
    },
  };
}

function throwUnavailable(cause: unknown): never {
  throw new CountersignError('identity-unavailable', 'The identities cannot be listed at the moment.', { cause });
}
