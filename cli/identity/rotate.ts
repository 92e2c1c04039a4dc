// `identity rotate`: starts or continues a rotation in Secrets Manager, and follows it by the staging labels of the
// secret.
import { setTimeout as wait } from 'node:timers/promises';
import type { CommandContext } from '../context.ts';
import { exitCodes, interruption, refusal, usageError } from '../exit-code.ts';
import type { IdentityState, IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import { currentMembers, requireIdentity } from './change.ts';
import { identityView } from './identity-view.ts';

export interface RotateOptions extends StoreOptions {
  readonly wait?: boolean;
  readonly timeout: string;
}

const everyMs = 1_000;

/** As far as the labels show it: AWS stores no reason for a failed step. */
type RotationStatus = 'asking' | 'awaits-signature' | 'trying' | 'done' | 'given-up';

const sentences: Readonly<Record<RotationStatus, string>> = {
  asking: 'The next version waits for its certificate from the issuer.',
  'awaits-signature': 'The certificate request waits for a signature.',
  trying: 'The next version has its certificate. It is announced and tested at the destinations.',
  done: 'The next version is in use.',
  'given-up': 'The rotation was cancelled: its version is no longer at AWSPENDING and not in use.',
};

export async function rotateIdentity(name: string, options: RotateOptions, context: CommandContext): Promise<void> {
  const seconds = parseTimeout(options.timeout);
  const store = await openStore(options, context);
  const { rotations } = store;
  if (!rotations) {
    throw refusal(
      'no-rotation',
      `Secrets Manager rotates, a directory does not. Renew it with countersign identity renew ${name}.`,
    );
  }
  const state = await requireIdentity(name, store);
  await rotations.requirePrimary(name);
  if (!state.rotation?.isEnabled) {
    throw refusal(
      'no-rotation',
      `No rotation is set up for "${name}" (docs/deploy.md, "Rotate an identity"). Renew it by hand with csr and complete.`,
    );
  }
  const { outcome, version = state.pending?.version } = await rotations.begin(name);
  context.output.progress(
    outcome === 'begun'
      ? `A rotation starts in ${store.place}.`
      : `A rotation is under way in ${store.place} and continues.`,
  );
  if (!options.wait || version === undefined) {
    return context.output.answer({ identity: name, outcome, version: version ?? null, place: store.place }, () => [
      `"${name}" is being rotated, version ${version ?? 'unknown'}. Follow it with --wait.`,
    ]);
  }
  await followToEnd(name, version, outcome === 'begun' ? 'asking' : undefined, seconds, store, context);
}

/** Parses --timeout, in seconds. Throws a usage error. */
export function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (/^\d+$/.test(text) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw usageError('--timeout must be a whole number of seconds from 1 to 86400.');
}

/** Prints the progress of a rotation from the status `from` (absent: its current one), and its result. */
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

/** Every status of a rotation in its order. A status that was passed between two polls is printed too. */
const course: readonly RotationStatus[] = ['asking', 'trying', 'done'];

async function follow(
  name: string,
  version: string,
  from: RotationStatus | undefined,
  forMs: number,
  store: IdentityStore,
  context: CommandContext,
): Promise<RotationStatus> {
  // From here on Ctrl-C ends the command in the same way at any point.
  const { interrupted: signal } = context;
  const isManual = await isSignedByHand(name, store);
  const until = performance.now() + forMs;
  let next = from && course.indexOf(from);
  for (;;) {
    const standing = await rotationStatus(name, version, isManual, store);
    const at = course.indexOf(standing);
    if (at < 0) context.output.progress(sentences[standing]);
    else {
      for (const passed of course.slice(next ?? at, at + 1)) context.output.progress(sentences[passed]);
      next = at + 1;
    }
    if (standing !== 'asking' && standing !== 'trying') return standing;
    if (performance.now() >= until) return standing;
    await wait(everyMs, undefined, { signal }).catch(() => {
      context.output.progress(`The rotation continues: countersign identity inspect ${name} shows its progress.`);
      throw interruption();
    });
  }
}

async function rotationStatus(
  name: string,
  version: string,
  isManual: boolean,
  store: IdentityStore,
): Promise<RotationStatus> {
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

/** Prints an unfinished rotation, and what to do about it. */
function report(
  name: string,
  version: string,
  standing: RotationStatus,
  store: IdentityStore,
  context: CommandContext,
): void {
  if (standing === 'done') return;
  const why = {
    'awaits-signature': `Print the request with countersign identity csr ${name}, have it signed, and store the certificate with complete.`,
    'given-up': 'Find out why before you start another one.',
    asking: whereToFindTheReason,
    trying: whereToFindTheReason,
  }[standing];
  context.output.answer(
    { identity: name, outcome: standing, version, place: store.place, detail: sentences[standing] },
    () => [sentences[standing]],
  );
  context.output.progress(why);
  context.end(standing === 'awaits-signature' || standing === 'given-up' ? exitCodes.refused : exitCodes.unavailable);
}

const whereToFindTheReason =
  'The rotation did not end within --timeout and continues. Secrets Manager stores no reason for a failed step: see the log of the rotation function (docs/runbook.md), or the output of npm start.';

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
