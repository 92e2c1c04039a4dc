// The console's data: read from where the identities are, kept for a moment, handed out to whoever may use them.

import { BoundedMap } from '../core/bounded-map.ts';
import { CountersignError } from '../core/errors.ts';
import { createGate } from '../core/identity/gate.ts';
import type { IdentitySource, Stage } from '../core/identity/identity.ts';
import { type SeenIdentity, seeIdentity, withVerdicts } from './identities.ts';
import { createJudgements } from './judgements.ts';
import type { ConsoleState, EventState, RotationState } from './state.ts';
import type { Verdicts } from './verdicts.ts';

export interface ConsoleParts {
  readonly place: ConsoleState['place'];
  readonly source: IdentitySource;
  /** Those that the source can have. */
  readonly stages: readonly Stage[];
  /** Of all identities; may reject. */
  names(): Promise<readonly string[]>;
  readonly verdicts: Verdicts;
  /** Absent where nothing rotates. */
  readonly rotations?: Rotations;
  /** The latest first; absent where there is no bus. */
  events?(): readonly EventState[];
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface Rotations {
  /** Undefined when there is no such identity. */
  state(name: string): Promise<RotationState | undefined>;
  /** Begins one; `under-way` when there is one already. May reject. */
  begin(name: string): Promise<'begun' | 'under-way' | 'not-set-up'>;
}

/** Who asks; undefined where nobody is known, and everybody may use all. */
export interface ConsoleCaller {
  readonly name: string;
  mayUse(identity: string): boolean;
}

export interface Console {
  readonly parts: ConsoleParts;
  /** Rejects with `identity-unavailable` when the names cannot be listed. */
  state(caller: ConsoleCaller | undefined): Promise<ConsoleState>;
  /** Something was done to the identity: it is read anew. */
  forget(name: string): void;
}

const mostIdentities = 200;
const mostEvents = 50;
const readsAtOnce = 8;
/**
 * Several pages, each asking every few seconds, cost one read; a rotation is seen within it. In milliseconds, from the end of
 * the read: one that takes longer must not begin anew for whoever asks again at once.
 */
const holdsMs = 1_000;
/** Kept at most; those of the callers who look at the moment. */
const mostKept = 2_000;

interface Kept {
  readonly seen: Promise<SeenIdentity>;
  readonly rotation: Promise<RotationState | undefined> | undefined;
}

interface Held<Value> {
  readonly value: Value;
  /** Undefined while it is being read. */
  endedAt: number | undefined;
}

export function openConsole(parts: ConsoleParts): Console {
  const { source, stages, verdicts, rotations, now = Date.now } = parts;
  const gate = createGate(readsAtOnce, 100_000);
  const judgements = createJudgements();
  const kept = new BoundedMap<string, Held<Kept>>({ maxEntries: mostKept });
  let listed: Held<Promise<readonly string[]>> | undefined;

  function holds(held: Held<unknown> | undefined): boolean {
    return held !== undefined && (held.endedAt === undefined || now() - held.endedAt < holdsMs);
  }

  function hold<Value>(value: Value, reading: readonly unknown[]): Held<Value> {
    const held: Held<Value> = { value, endedAt: undefined };
    void Promise.allSettled(reading).then(() => {
      held.endedAt = now();
    });
    return held;
  }

  function names(): Promise<readonly string[]> {
    if (listed === undefined || !holds(listed)) {
      const reading = parts.names().catch(unlisted);
      listed = hold(reading, [reading]);
    }
    return listed.value;
  }

  function see(name: string): Kept {
    const known = kept.get(name);
    if (known !== undefined && holds(known)) return known.value;
    const seen = gate.run(() => seeIdentity(source, name, stages, judgements, now()));
    const rotation = rotations?.state(name).catch(() => undefined);
    const fresh = hold({ seen, rotation }, [seen, rotation]);
    kept.set(name, fresh);
    return fresh.value;
  }

  return {
    parts,
    forget: (name) => kept.delete(name),
    async state(caller) {
      const all = [...(await names())].filter((name) => caller?.mayUse(name) ?? true).sort();
      const shown = all.slice(0, mostIdentities).map(see);
      const identities = await Promise.all(
        shown.map(async ({ seen, rotation }) => {
          const identity = await seen;
          const rotating = await rotation;
          return {
            ...identity.shown,
            destinations: withVerdicts(identity.destinations, verdicts.of(identity.shown.name)),
            ...(rotating && { rotation: rotating }),
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
        ...(events && { events: events.slice(0, mostEvents) }),
      };
    },
  };
}

function unlisted(cause: unknown): never {
  throw new CountersignError('identity-unavailable', 'The identities cannot be listed at the moment.', { cause });
}
