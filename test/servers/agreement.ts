// A call and a diagnosis of the same server must come to the same result; this says where they do not.
import type { Diagnosis, Finding, StepReport, Verdict } from '../../core/diagnosis/diagnosis.ts';

/** The result of an invocation: an answer of the API, or a problem. */
export interface CallResult {
  /** Of the API's answer. */
  readonly status?: number;
  /** The answer comes with advice about the client certificate. */
  readonly isAdvised?: boolean;
  readonly code?: string;
  readonly step?: number;
  readonly alert?: string;
  readonly reason?: string;
  readonly certainty?: string;
}

/** Undefined if they agree. */
export function disagreement(diagnosis: Diagnosis, call: CallResult): string | undefined {
  const says = (what: string) => `the diagnosis says ${diagnosis.verdict}, the call ${what}`;
  if (call.code === undefined) {
    if (diagnosis.probe?.status !== call.status) return says(`is answered with ${call.status}`);
    const wantsAdvice = adviceOf(diagnosis);
    if (wantsAdvice !== undefined && wantsAdvice !== call.isAdvised) {
      return says(`has ${call.isAdvised ? '' : 'no '}advice about the certificate`);
    }
    return answered.includes(diagnosis.verdict) ? undefined : says(`is answered with ${call.status}`);
  }
  const same = failuresOf(diagnosis.steps).find(({ finding }) => finding.code === call.code);
  if (!same) return says(`fails with ${call.code}`);
  const { step, finding } = same;
  if (call.step !== undefined && call.step !== step) return says(`fails in step ${call.step}, not ${step}`);
  const { alert, reason } = finding.evidence ?? {};
  if (alert !== call.alert) return says(`names the alert ${call.alert}, not ${alert}`);
  if (call.code === 'client-certificate-rejected' && finding.certainty !== call.certainty) {
    return says(`is ${call.certainty}, not ${finding.certainty}`);
  }
  // A diagnosis can find the cause on a second connection, and what is missing in a chain; a call has one connection.
  const isNamed = call.reason !== undefined && !/^[A-Z_]+$/.test(call.reason);
  if (isNamed && call.reason !== reason) return says(`has the reason ${call.reason}, not ${reason}`);
  return undefined;
}

/** Verdicts under which a call can be answered. */
const answered: readonly Verdict[] = ['access-granted', 'access-refused', 'access-unknown', 'not-mutual'];

/** Whether an answer needs advice; undefined if either is right. */
function adviceOf({ verdict, steps }: Diagnosis): boolean | undefined {
  if (verdict === 'access-granted') return false;
  if (verdict === 'not-mutual') return true;
  const isPage = failuresOf(steps).some(({ finding }) => finding.evidence?.page !== undefined);
  return isPage || verdict === 'access-unknown' ? true : undefined;
}

interface Failure {
  readonly step: number;
  readonly finding: Finding;
}

/** A step 5 that is unknown names the error of the call as a failure or a warning. */
function failuresOf(steps: readonly StepReport[]): Failure[] {
  return steps.flatMap(({ step, findings, status }) =>
    findings
      .filter(({ severity }) => severity === 'failure' || (step === 5 && status !== 'passed' && severity === 'warning'))
      .map((finding) => ({ step, finding })),
  );
}
