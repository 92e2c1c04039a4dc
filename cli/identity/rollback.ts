// `identity rollback`: puts the previous version back into use, after a confirmation.

import { createInterface } from 'node:readline/promises';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import { interruption, refusal } from '../exit-code.ts';
import { painter } from '../output.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import { changedMeanwhile, requireIdentity, warnOfUnreadable } from './change.ts';
import { type CertificateView, daysText, destinationLines, type IdentityView, identityView } from './identity-view.ts';

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
    throw refusal('identity-unusable', `The previous version cannot be used: ${before.problem?.detail ?? ''}`);
  }
  for (const line of rollbackSummary(name, store.place, before, current)) context.output.progress(line);
  if (state.pending) {
    context.output.warn('A rotation is under way and will put its own certificate into use when it ends.');
  }
  await requireYes(`Roll "${name}" back?`, options.yes, context);
  interrupted.throwIfAborted();
  if ((await store.rollBack(name, state.holder)) === 'changed') throw changedMeanwhile(name);
  await warnOfUnreadable(name, store, context);
  const leaf = clientOf(before);
  const takenUp = store.rotations
    ? 'functions use it after at most 60 s, for GET, PUT and DELETE from the second call'
    : 'countersign serve uses it within 5 s';
  const { paint } = context.output;
  context.output.answer(
    { identity: name, outcome: 'rolled-back', place: store.place, current: before, previous: current ?? null },
    () => [
      `${paint('green', '✓')} "${name}" is ${escapeForTerminal(leaf?.subject ?? '')}, SHA-256 ${leaf?.fingerprint256 ?? ''} again; ${takenUp}.`,
    ],
  );
}

/** Lines on stderr are coloured as a whole. */
const plain = painter(false);

function rollbackSummary(
  name: string,
  place: string,
  before: IdentityView,
  current: IdentityView | undefined,
): readonly string[] {
  const [then, now] = [clientOf(before), current && clientOf(current)];
  const isSame = then?.fingerprint256 === now?.fingerprint256;
  const certificate = (view: IdentityView | undefined) => {
    const leaf = view && clientOf(view);
    return leaf
      ? `${escapeForTerminal(leaf.subject)}, SHA-256 ${leaf.fingerprint256.slice(0, 23)}…, ${daysText(leaf.daysLeft, plain)}`
      : 'unreadable';
  };
  const hasSameDestinations = JSON.stringify(before.destinations) === JSON.stringify(current?.destinations);
  return [
    `"${name}" in ${place}`,
    `  from  ${certificate(current)}`,
    `  to    ${certificate(before)}${isSame ? ' (the same certificate)' : ''}`,
    ...(hasSameDestinations
      ? []
      : ['  with its destinations:', ...destinationLines(before.destinations).map((line) => `  ${line}`)]),
  ];
}

function clientOf({ certificates }: IdentityView): CertificateView | undefined {
  return certificates.find(({ role }) => role === 'client');
}

/** Throws if the answer is no, without a terminal, and at Ctrl-C. */
export async function requireYes(question: string, isYes: boolean | undefined, context: CommandContext): Promise<void> {
  if (isYes) return;
  if (!context.isInteractive) {
    throw refusal('not-confirmed', 'Nothing was changed. Without a terminal the command needs --yes.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: context.interrupted });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } catch {
    throw interruption();
  } finally {
    terminal.close();
  }
  throw refusal('not-confirmed', 'Nothing was changed.');
}
