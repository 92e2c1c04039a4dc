// Findings: what was seen, with a stable code, one sentence and its evidence.
import { asCountersignError, type CountersignError, type Evidence, type Step } from '../errors.ts';
import type { Certainty, Finding, StepReport, StepStatus } from './diagnosis.ts';
import { stepNames } from './diagnosis.ts';

/** Codes that are no errors of an invocation; docs/diagnosis.md has a line for each. */
export const findingCodes = [
  'server-protocol-old',
  'server-chain-unordered',
  'server-certificate-expires-soon',
  'server-certificate-weak',
  'stapled-ocsp-revoked',
  'stapled-ocsp-unknown',
  'stapled-ocsp-stale',
  'stapled-ocsp-invalid',
  'client-issuer-not-accepted',
  'client-signature-not-accepted',
  'client-chain-signature-not-accepted',
  'client-certificate-expires-soon',
  'client-certificate-asked-late',
  'client-certificate-accepted',
  'handshake-not-read',
  'tls12-tried',
  'probe-answered',
  'probe-unexpected-status',
  'not-probed',
] as const;

export type FindingCode = (typeof findingCodes)[number];

export function failureOf(error: CountersignError, more: Evidence = {}): Finding {
  const certainty = error.evidence?.certainty === 'inferred' ? 'inferred' : 'observed';
  return withEvidence(
    { code: error.code, severity: 'failure', detail: error.message, certainty },
    { ...error.evidence, ...more },
  );
}

/** The failure that the check throws, if it does. */
export function failureFrom(check: () => void): Finding | undefined {
  try {
    check();
    return undefined;
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw error;
    return failureOf(error);
  }
}

export function warning(code: FindingCode, detail: string, evidence: Evidence = {}): Finding {
  return withEvidence({ code, severity: 'warning', detail, certainty: 'observed' }, evidence);
}

/** A failure that is none of an invocation. */
export function failing(code: FindingCode, detail: string, evidence: Evidence = {}): Finding {
  return withEvidence({ code, severity: 'failure', detail, certainty: 'observed' }, evidence);
}

export function note(
  code: FindingCode,
  detail: string,
  evidence: Evidence = {},
  certainty: Certainty = 'observed',
): Finding {
  return withEvidence({ code, severity: 'note', detail, certainty }, evidence);
}

function withEvidence(finding: Finding, evidence: Evidence): Finding {
  return Object.keys(evidence).length > 0 ? { ...finding, evidence } : finding;
}

/** The status follows from the findings, unless the step was not reached. */
export function stepOf(step: Step, findings: readonly Finding[], durationMs: number, reached = true): StepReport {
  return { step, name: stepNames[step], status: reached ? statusOf(findings) : 'skipped', durationMs, findings };
}

function statusOf(findings: readonly Finding[]): StepStatus {
  if (findings.some(({ severity }) => severity === 'failure')) return 'failed';
  return findings.some(({ severity }) => severity === 'warning') ? 'warning' : 'passed';
}
