// Refuses a name that no identity can have, before anything is read under it.

import { CountersignError } from '../errors.ts';
import { identityNamePattern } from '../settings.ts';

/** Throws `identity-not-found`: the name is part of the route, and nothing can exist at that address. */
export function requireIdentityName(name: string): void {
  if (identityNamePattern.test(name)) return;
  throw new CountersignError(
    'identity-not-found',
    'An identity name is 1 to 63 lower-case letters, digits and hyphens, and starts with a letter or a digit.',
    { evidence: { reason: 'name-form' } },
  );
}
