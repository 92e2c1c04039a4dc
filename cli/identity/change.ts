// What every change of a stored identity has in common: what stands in its way, what is carried over, and who was first.

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
    `"${name}" is no name of an identity. A name is 1 to 63 lower-case letters, digits and hyphens, and starts with a letter or a digit.`,
  );
}

function notFound(name: string, store: IdentityStore): Error {
  return refusal('identity-not-found', `There is no identity "${name}" in ${store.place}.`);
}

/** Throws where there is none. */
export async function requireIdentity(name: string, store: IdentityStore): Promise<IdentityState> {
  requireName(name);
  const state = await store.look(name);
  if (state) return state;
  throw notFound(name, store);
}

/**
 * A rotation whose next version has its value already was made from the document as it is now: whatever is changed
 * beside it would be undone when it ends.
 */
export function requireNoRotation(name: string, { pending }: IdentityState): void {
  if (!pending?.hasValue) return;
  throw refusal(
    'rotation-under-way',
    `A rotation of "${name}" is under way, and would undo the change when it ends: finish it first (countersign identity rotate ${name} --wait), or give it up as docs/rotation.md says.`,
  );
}

/** Between the look and the change another may have been faster: nothing was changed then. */
export function wasChanged(name: string): Error {
  return refusal(
    'changed-meanwhile',
    `Somebody else changed "${name}" at the same moment; nothing was changed. Look at it, and say it again.`,
  );
}

/** All members of what is in use; empty where nothing is. Throws `identity-unusable` for what cannot be read. */
export async function currentMembers(
  name: string,
  state: IdentityState | undefined,
  store: IdentityStore,
): Promise<Readonly<Record<string, unknown>>> {
  if (!state?.hasCurrent) return {};
  const stored = await store.read(name, 'AWSCURRENT');
  // It was there a moment ago. Taken for empty, its destinations would be lost, and any public host allowed.
  if (stored === undefined) throw wasChanged(name);
  return membersOf(stored.document);
}

/** The same for a command that replaces the identity: what cannot be read is told, unless it need not be carried over. */
export async function carriedOver(
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
      `The destinations of "${name}" cannot be carried over, because what is stored cannot be read: say where it may go with --destination or --destinations.`,
    );
  }
}

/** Secrets Manager's limit, and that of the functions for a directory. */
export function requireSize(document: string): void {
  const bytes = Buffer.byteLength(document);
  if (bytes <= maxDocumentBytes) return;
  throw refusal(
    'document-too-large',
    `The identity document would have ${bytes} bytes; ${maxDocumentBytes} is the most.`,
  );
}

/** After a change: those whom the store is for may be unable to read what is in use now. */
export async function warnOfReaders(name: string, store: IdentityStore, context: CommandContext): Promise<void> {
  const sentence = await store.unreadable?.(name);
  if (sentence !== undefined) context.output.warn(sentence);
}
