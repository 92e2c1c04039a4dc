// What Lambda logs of a step that failed: one sentence and its code, without what lies behind it.
import type { CountersignError } from '../errors.ts';

/** Lambda writes name, message and stack of what is thrown, and what it finds in `cause` and other members: so there are none. */
export function rotationFailure({ message, code }: CountersignError): Error {
  const failure = new Error(`${message} (${code})`);
  failure.name = 'RotationFailure';
  failure.stack = `${failure.name}: ${failure.message}`;
  return failure;
}
