// The diagnosis report: verdict, five steps with findings, both sides of the handshake, remedies.
import { asCountersignError, type CountersignError, type Evidence, type Step } from '../errors.ts';

export type Verdict =
  | 'access-granted'
  /** Step 5. */
  | 'access-refused'
  /** The server asked for the certificate and neither accepted nor refused it. */
  | 'access-unknown'
  /** The server never asked for the client certificate, or never received it. */
  | 'not-mutual'
  /** Step 3. */
  | 'server-not-trusted'
  /** Step 1 or 2. */
  | 'unreachable'
  | 'identity-unusable';

/** `observed`: the server said so. `inferred`: it follows from its behaviour and can have another reason. */
export type Certainty = 'observed' | 'inferred';

/** `unknown`: step 5 took place, and its result cannot be seen. */
export type StepStatus = 'passed' | 'failed' | 'warning' | 'skipped' | 'unknown';

export interface Finding {
  /** A code of the table of errors where there is one, else one of docs/diagnosis.md; stable. */
  readonly code: string;
  readonly severity: 'failure' | 'warning' | 'note';
  /** One sentence. */
  readonly detail: string;
  readonly certainty: Certainty;
  readonly evidence?: Evidence;
}

export interface StepReport {
  readonly step: Step;
  readonly name: string;
  readonly status: StepStatus;
  /** Milliseconds; 0 if the step did not take place. */
  readonly durationMs: number;
  readonly findings: readonly Finding[];
}

export interface CertificateReport {
  /** RFC 4514, control characters escaped. */
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601. */
  readonly validFrom: string;
  readonly validTo: string;
  /** SHA-256 of the DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** `EC prime256v1`, `RSA 2048`. */
  readonly key: string;
  readonly signature: string;
  /** `sha256/…` (RFC 7469, section 2.4); of the server's certificates alone. */
  readonly pin?: string;
  /** Subject alternative names, the first 20; of the server's own certificate alone. */
  readonly names?: readonly string[];
}

export type StapledOcsp = 'none' | 'good' | 'revoked' | 'unknown' | 'stale' | 'invalid';

export interface ServerReport {
  readonly address?: string;
  /** As served, in the served order. */
  readonly chain: readonly CertificateReport[];
  /** From the server's own certificate as far up as it can be followed. */
  readonly builtChain: readonly CertificateReport[];
  readonly protocol?: string;
  readonly cipher?: string;
  readonly keyExchange?: string;
  readonly signatureAlgorithm?: string;
  readonly stapledOcsp: StapledOcsp;
  /** `nginx`, `Apache httpd`, … if its answer identifies it. */
  readonly software?: string;
}

export interface RequestReport {
  /** Undefined if the handshake ended earlier. */
  readonly asked?: boolean;
  /** True when it asked by renegotiation, after the request (TLS 1.2). */
  readonly afterRequest?: boolean;
  /** The first 100; empty means any. */
  readonly acceptableIssuers: readonly string[];
  /** How many there are. */
  readonly acceptableIssuerCount: number;
  readonly signatureAlgorithms: readonly string[];
}

export interface ClientReport {
  /** As sent, leaf first. */
  readonly chain: readonly CertificateReport[];
  /** Our issuers, the root included. */
  readonly issuers: readonly string[];
  readonly issuerAccepted?: boolean;
  readonly signatureAccepted?: boolean;
}

interface ProbeReport {
  readonly method: string;
  readonly path: string;
  readonly status?: number;
  readonly expectStatus?: number;
}

export type Who = 'customer' | 'platform' | 'network' | 'caller';

export type TrialResult = 'worked' | 'did-not-help';

export interface Remedy {
  readonly who: Who;
  readonly do: string;
  /** Configuration of the server, if its answer identifies it. */
  readonly directive?: string;
  readonly server?: string;
  /** The result of trying the remedy in this diagnosis. */
  readonly tried?: TrialResult;
}

export interface Diagnosis {
  readonly verdict: Verdict;
  readonly certainty: Certainty;
  readonly url: string;
  readonly identity: { readonly name: string; readonly version?: string; readonly stage?: string };
  readonly steps: readonly StepReport[];
  readonly server?: ServerReport;
  readonly request?: RequestReport;
  readonly client?: ClientReport;
  readonly probe?: ProbeReport;
  readonly remedies: readonly Remedy[];
  /** Milliseconds. */
  readonly totalMs: number;
}

export const stepNames: Readonly<Record<Step, string>> = {
  1: 'request the endpoint',
  2: 'server presents its certificate',
  3: 'verify the server',
  4: 'send the client certificate',
  5: 'server verifies the client',
};

/** Codes that no invocation has; docs/diagnosis.md lists each. */
export const findingCodes = [
  'server-protocol-old',
  'server-chain-unordered',
  'server-certificate-expires-soon',
  'server-certificate-weak',
  'stapled-ocsp-revoked',
  'stapled-ocsp-unknown',
  'stapled-ocsp-stale',
  'stapled-ocsp-invalid',
  'stapled-ocsp-missing',
  'stapled-ocsp-refused',
  'client-issuer-not-accepted',
  'client-signature-not-accepted',
  'client-chain-signature-not-accepted',
  'client-certificate-expires-soon',
  'client-certificate-suspect',
  'client-certificate-asked-late',
  'client-certificate-accepted',
  'handshake-not-read',
  'tls12-tried',
  'probe-answered',
  'probe-unexpected-status',
  'misdirected-request',
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

/** A failure that no invocation has. */
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

/** The findings decide the status, unless the step was not reached, or its result is not known. */
export function stepOf(
  step: Step,
  findings: readonly Finding[],
  durationMs: number,
  reached = true,
  isUnknown = false,
): StepReport {
  const found = statusOf(findings);
  const status = !reached ? 'skipped' : isUnknown && found !== 'failed' ? 'unknown' : found;
  return { step, name: stepNames[step], status, durationMs, findings };
}

function statusOf(findings: readonly Finding[]): StepStatus {
  if (findings.some(({ severity }) => severity === 'failure')) return 'failed';
  return findings.some(({ severity }) => severity === 'warning') ? 'warning' : 'passed';
}
