// `identity rotate`: has Secrets Manager begin a rotation, or go on with one, and follows it by the labels of the secret.
import { setTimeout as wait } from 'node:timers/promises';
import type { CommandContext } from '../context.ts';
import { exitCodes, interruption, refusal, usageError } from '../exit-code.ts';
import type { StoreOptions } from '../store/chosen-store.ts';
import type { IdentityState, IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import { currentMembers, requireIdentity } from './change.ts';
import { identityView } from './described.ts';

export interface RotateOptions extends StoreOptions {
  readonly wait?: boolean;
  readonly timeout: string;
}

const everyMs = 1_000;

/** Where a rotation stands, as far as the labels tell it: AWS keeps no reason for a step that failed. */
type Standing = 'asking' | 'awaits-signature' | 'trying' | 'done' | 'given-up';

const sentences: Readonly<Record<Standing, string>> = {
  asking: 'The next version waits for its certificate: the issuer is asked.',
  'awaits-signature': 'The certificate request waits for somebody to sign it.',
  trying: 'The next version has its certificate: it is announced and tried at the destinations.',
  done: 'The next version is in use.',
  'given-up': 'The rotation was cancelled: its version is at AWSPENDING no more, and not in use.',
};

export async function rotateIdentity(name: string, options: RotateOptions, context: CommandContext): Promise<void> {
  const seconds = secondsFrom(options.timeout);
  const store = await openStore(options, context);
  const { rotations } = store;
  if (!rotations) {
    throw refusal(
      'no-rotation',
      `A directory rotates nothing: countersign identity csr ${name} makes the next key, complete puts its certificate into use.`,
    );
  }
  const state = await requireIdentity(name, store);
  if (!state.rotation?.isEnabled) {
    throw refusal(
      'no-rotation',
      `No rotation is set up for "${name}" (docs/deploy.md, "Rotate an identity"): renew it by hand with csr and complete.`,
    );
  }
  const { outcome, version = state.pending?.version } = await rotations.begin(name);
  context.output.progress(
    outcome === 'begun'
      ? `A rotation begins in ${store.place}.`
      : `A rotation was under way in ${store.place}; it is gone on with.`,
  );
  if (!options.wait || version === undefined) {
    return context.output.answer({ identity: name, outcome, version: version ?? null, place: store.place }, () => [
      `"${name}" is being rotated, version ${version ?? 'unknown'}: --wait follows it.`,
    ]);
  }
  await followToEnd(name, version, outcome === 'begun' ? 'asking' : undefined, seconds, store, context);
}

/** Of --timeout. Throws a usage error. */
export function secondsFrom(text: string): number {
  const seconds = Number(text);
  if (/^\d+$/.test(text) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw usageError('--timeout must be a whole number of seconds from 1 to 86400.');
}

/** Says how a rotation goes on, from where it was (absent: from where it is found), and answers with how it ended. */
export async function followToEnd(
  name: string,
  version: string,
  from: 'asking' | 'trying' | undefined,
  seconds: number,
  store: IdentityStore,
  context: CommandContext,
): Promise<void> {
  const standing = await follow(name, version, from, seconds * 1000, store, context);
  report(name, version, standing, store, context);
  if (standing === 'done') await tell(name, version, store, context);
}

/** In this order; one that is over by the time somebody looks was gone through all the same, and is told of. */
const course: readonly Standing[] = ['asking', 'trying', 'done'];

async function follow(
  name: string,
  version: string,
  from: Standing | undefined,
  forMs: number,
  store: IdentityStore,
  context: CommandContext,
): Promise<Standing> {
  // From here on Ctrl-C ends it in the same way, wherever it strikes.
  const { interrupted: signal } = context;
  const isManual = await isSignedByHand(name, store);
  const until = performance.now() + forMs;
  let next = from && course.indexOf(from);
  for (;;) {
    const standing = await standingOf(name, version, isManual, store);
    const at = course.indexOf(standing);
    if (at < 0) context.output.progress(sentences[standing]);
    else {
      for (const passed of course.slice(next ?? at, at + 1)) context.output.progress(sentences[passed]);
      next = at + 1;
    }
    if (standing !== 'asking' && standing !== 'trying') return standing;
    if (performance.now() >= until) return standing;
    await wait(everyMs, undefined, { signal }).catch(() => {
      context.output.progress(`The rotation goes on: countersign identity inspect ${name} shows how far it is.`);
      throw interruption();
    });
  }
}

async function standingOf(name: string, version: string, isManual: boolean, store: IdentityStore): Promise<Standing> {
  const state = await requireIdentity(name, store);
  if (state.holder === version) return 'done';
  if (state.pending?.version !== version) return 'given-up';
  if (state.pending.hasValue) return 'trying';
  return isManual && (await store.request(name))?.for === version ? 'awaits-signature' : 'asking';
}

async function isSignedByHand(name: string, store: IdentityStore): Promise<boolean> {
  const state: IdentityState = await requireIdentity(name, store);
  const { renewal } = await currentMembers(name, state, store).catch((): { renewal?: unknown } => ({}));
  const { issuer } = (renewal ?? {}) as { issuer?: { kind?: unknown } };
  return issuer?.kind === 'manual';
}

/** What is not done is told apart by who has to do something. */
function report(
  name: string,
  version: string,
  standing: Standing,
  store: IdentityStore,
  context: CommandContext,
): void {
  if (standing === 'done') return;
  const why = {
    'awaits-signature': `Show the request with countersign identity csr ${name}, have it signed, and put the certificate in with complete.`,
    'given-up': 'Begin another one when you know why.',
    asking: whereTheReasonIs,
    trying: whereTheReasonIs,
  }[standing];
  context.output.answer(
    { identity: name, outcome: standing, version, place: store.place, detail: sentences[standing] },
    () => [sentences[standing]],
  );
  context.output.progress(why);
  context.end(standing === 'awaits-signature' || standing === 'given-up' ? exitCodes.refused : exitCodes.unavailable);
}

const whereTheReasonIs =
  'It has not ended in the time given, and the rotation goes on. Secrets Manager keeps no reason for a step that failed: it is in the log of the rotation function (docs/runbook.md), and where npm start runs.';

async function tell(name: string, version: string, store: IdentityStore, context: CommandContext): Promise<void> {
  const stored = await store.read(name, 'AWSCURRENT');
  const [leaf] = stored === undefined ? [] : identityView(name, 'AWSCURRENT', stored, context.now()).certificates;
  const { paint } = context.output;
  context.output.answer(
    { identity: name, outcome: 'rotated', version, place: store.place, certificate: leaf ?? null },
    () => [
      `${paint('green', '✓')} "${name}" is rotated: SHA-256 ${leaf?.fingerprint256 ?? ''}, valid to ${leaf?.validTo.slice(0, 10) ?? ''}, version ${version}.`,
    ],
  );
}
