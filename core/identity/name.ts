// Identity names.
import { CountersignError } from '../errors.ts';
import { invalidRequest } from '../json-request.ts';
import { identityNamePattern } from '../settings.ts';

export function isIdentityName(name: unknown): name is string {
  return typeof name === 'string' && identityNamePattern.test(name);
}

/**
 * Returns the name. Throws `invalid-request` when there is none, and `identity-not-found` when no identity can have it:
 * the name is part of the route, and nothing can exist at that address.
 */
export function requireIdentityName(name: string | undefined): string {
  if (name === undefined) throw invalidRequest('identity', 'The path names no identity.');
  if (isIdentityName(name)) return name;
  throw new CountersignError(
    'identity-not-found',
    'An identity name is 1 to 63 lower-case letters, digits and hyphens, and starts with a letter or a digit.',
    { evidence: { reason: 'name-form' } },
  );
}
