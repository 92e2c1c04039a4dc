// Checks that every change of a stored identity makes: its name, rotations under way, concurrent changes, size.

import { CountersignError } from '../../core/errors.ts';
import { maxDocumentBytes } from '../../core/identity/document.ts';
import { membersOf } from '../../core/rotation/current-document.ts';
import { identityNamePattern } from '../../core/settings.ts';
import type { CommandContext } from '../context.ts';
import { refusal, usageError } from '../exit-code.ts';
import type { IdentityState, IdentityStore } from '../store/identity-store.ts';

/** Throws a usage error. */
export function requireName(name: string): void {
  if (identityNamePattern.test(name)) return;
  throw usageError(
    `"${name}" is not a valid name of an identity. A name has 1 to 63 lower-case letters, digits and hyphens, and starts with a letter or a digit.`,
  );
}

function notFound(name: string, store: IdentityStore): Error {
  return refusal('identity-not-found', `There is no identity "${name}" in ${store.place}.`);
}

/** Throws if there is no such identity. */
export async function requireIdentity(name: string, store: IdentityStore): Promise<IdentityState> {
  requireName(name);
  const state = await store.state(name);
  if (state) return state;
  throw notFound(name, store);
}

/**
 * A pending version with a value was made from the current document, so the end of the rotation would undo a change.
 */
export function requireNoRotation(
  name: string,
  { pending }: IdentityState,
  { renewals }: Pick<IdentityStore, 'renewals'>,
): void {
  if (!pending?.hasValue) return;
  const finish = renewals ? `renew ${name}` : `rotate ${name} --wait`;
  throw refusal(
    'rotation-under-way',
    `A rotation of "${name}" is under way, and would undo the change when it ends. Finish it first (countersign identity ${finish}), or cancel it (docs/rotation.md).`,
  );
}

/** Another process changed the identity after its state was read. */
export function changedMeanwhile(name: string): Error {
  return refusal(
    'changed-meanwhile',
    `Another process changed "${name}" at the same moment, so this command changed nothing. Check the identity and try again.`,
  );
}

/** All members of the current document; empty without one. Throws `identity-unusable` if it cannot be read. */
export async function currentMembers(
  name: string,
  state: IdentityState | undefined,
  store: IdentityStore,
): Promise<Readonly<Record<string, unknown>>> {
  if (!state?.hasCurrent) return {};
  const stored = await store.read(name, 'AWSCURRENT');
  // It existed a moment ago. To take it for empty would lose its destinations and allow any public host.
  if (stored === undefined) throw changedMeanwhile(name);
  return membersOf(stored.document);
}

/**
 * As `currentMembers`, for a command that replaces the identity. With new destinations an unreadable document is
 * acceptable.
 */
export async function membersToKeep(
  name: string,
  state: IdentityState | undefined,
  store: IdentityStore,
  isGivenAnew: boolean,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await currentMembers(name, state, store);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== 'identity-unusable') throw thrown;
    if (isGivenAnew) return {};
    throw refusal(
      'destinations-unreadable',
      `The destinations of "${name}" cannot be kept, because the stored document cannot be read. Give them with --destination or --destinations.`,
    );
  }
}

/** The limit of Secrets Manager, which applies to directories too. */
export function requireSize(document: string): void {
  const bytes = Buffer.byteLength(document);
  if (bytes <= maxDocumentBytes) return;
  throw refusal(
    'document-too-large',
    `The identity document would have ${bytes} bytes. The limit is ${maxDocumentBytes}.`,
  );
}

/** Warns if the owner or group of the store cannot read the identity. */
export async function warnOfUnreadable(name: string, store: IdentityStore, context: CommandContext): Promise<void> {
  const sentence = await store.unreadable?.(name);
  if (sentence !== undefined) context.output.warn(sentence);
}
