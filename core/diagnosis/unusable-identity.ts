// The report of an identity that cannot be presented: no connection is made with it, and the defect is the finding.
import type { CountersignError, Step } from '../errors.ts';
import type { Report } from './assess.ts';
import { failureOf, stepOf } from './finding.ts';
import { remediesFor } from './remedies.ts';

export function unusableIdentity(error: CountersignError, identity: string): Report {
  const steps = ([1, 2, 3, 4, 5] as const satisfies readonly Step[]).map((step) =>
    stepOf(step, step === 4 ? [failureOf(error)] : [], 0, step === 4),
  );
  const remedies = remediesFor(steps, {
    software: undefined,
    host: '',
    port: 0,
    identity,
    page: undefined,
    nothingSent: true,
    isGranted: false,
    tried: undefined,
  });
  return { verdict: 'identity-unusable', certainty: 'observed', steps, remedies };
}
