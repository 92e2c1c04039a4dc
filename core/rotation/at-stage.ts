// Says of a document that cannot be used at which stage it was read: the way out is another for the current one than for the next.
import { CountersignError } from '../errors.ts';
import type { Stage } from '../identity/identity.ts';

/** What `read` throws as `identity-unusable` gets `evidence.stage`. */
export function atStage<T>(stage: Stage, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== 'identity-unusable') throw thrown;
    const evidence = { ...thrown.evidence, stage };
    throw new CountersignError(thrown.code, thrown.message, { hint: thrown.hint, evidence });
  }
}
