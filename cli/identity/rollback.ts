// `identity rollback`: what was in use before comes back, after it was shown what that means.

import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { requireYes } from '../confirmation.ts';
import type { CommandContext } from '../context.ts';
import { refusal } from '../exit-code.ts';
import { painter } from '../output.ts';
import type { StoreOptions } from '../store/chosen-store.ts';
import { openStore } from '../store/open-store.ts';
import { requireIdentity, warnOfReaders, wasChanged } from './change.ts';
import { type CertificateView, type IdentityView, identityView } from './described.ts';
import { daysText, destinationLines } from './lines.ts';

export interface RollbackOptions extends StoreOptions {
  readonly yes?: boolean;
}

export async function rollBackIdentity(name: string, options: RollbackOptions, context: CommandContext): Promise<void> {
  const store = await openStore(options, context);
  const { interrupted } = context;
  const state = await requireIdentity(name, store);
  const stored = state.holder === undefined ? undefined : await store.read(name, 'AWSPREVIOUS');
  if (stored === undefined || state.holder === undefined) {
    throw refusal('no-version', `There is no version of "${name}" to roll back to in ${store.place}.`);
  }
  const now = context.now();
  const before = identityView(name, 'AWSPREVIOUS', stored, now);
  const present = await store.read(name, 'AWSCURRENT').catch(() => undefined);
  const current = present && identityView(name, 'AWSCURRENT', present, now);
  if (!before.isUsable) {
    throw refusal('identity-unusable', `The version before cannot be used: ${before.problem?.detail ?? ''}`);
  }
  for (const line of whatItMeans(name, store.place, before, current)) context.output.progress(line);
  if (state.pending) {
    context.output.warn('A rotation is under way, and will make its certificate the current one when it ends.');
  }
  await requireYes(`Roll "${name}" back?`, options.yes, context);
  interrupted.throwIfAborted();
  if ((await store.rollBack(name, state.holder)) === 'changed') throw wasChanged(name);
  await warnOfReaders(name, store, context);
  const leaf = clientOf(before);
  const takenUp = store.rotations ? 'functions take it up within 60 s' : 'countersign serve takes it up within 5 s';
  const { paint } = context.output;
  context.output.answer(
    { identity: name, outcome: 'rolled-back', place: store.place, current: before, previous: current ?? null },
    () => [
      `${paint('green', '✓')} "${name}" is ${escapeForTerminal(leaf?.subject ?? '')}, SHA-256 ${leaf?.fingerprint256 ?? ''} again; ${takenUp}.`,
    ],
  );
}

/** What goes to stderr has one colour, by line. */
const plain = painter(false);

function whatItMeans(
  name: string,
  place: string,
  before: IdentityView,
  current: IdentityView | undefined,
): readonly string[] {
  const [then, now] = [clientOf(before), current && clientOf(current)];
  const isSame = then?.fingerprint256 === now?.fingerprint256;
  const certificate = (described: IdentityView | undefined) => {
    const leaf = described && clientOf(described);
    return leaf
      ? `${escapeForTerminal(leaf.subject)}, SHA-256 ${leaf.fingerprint256.slice(0, 23)}…, ${daysText(leaf.daysLeft, plain)}`
      : 'nothing that can be read';
  };
  const hasSameDestinations = JSON.stringify(before.destinations) === JSON.stringify(current?.destinations);
  return [
    `"${name}" in ${place}`,
    `  from  ${certificate(current)}`,
    `  to    ${certificate(before)}${isSame ? ' (the same certificate)' : ''}`,
    ...(hasSameDestinations
      ? []
      : ['  and with these destinations again:', ...destinationLines(before.destinations).map((line) => `  ${line}`)]),
  ];
}

function clientOf({ certificates }: IdentityView): CertificateView | undefined {
  return certificates.find(({ role }) => role === 'client');
}
