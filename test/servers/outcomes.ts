// The outcome of a cell in the words of docs/servers.md: one constant or function for each kind of server answer.
import type { CellName, TlsVersion } from './cells.ts';
import { type ExpectedRemedy, type RemedyKind, remedyAt, remedyOfCell, whoActs } from './remedies.ts';

/** What the server does, as Countersign reports it. */
export interface Answer {
  readonly verdict: string;
  /** The failed step; `–` if no step failed. */
  readonly step: string;
  /** The alert, the HTTP status or the error code. */
  readonly reason: string;
  readonly certainty: string;
  /** The result of an invocation of the same URL. */
  readonly invocation: string;
}

export interface CellOutcome extends Answer {
  /** Who must act on the first remedy; `–` without one. */
  readonly who: string;
  /** The kind of the first remedy (remedies.ts). */
  readonly remedy: string;
}

/** One for each TLS version if they differ. */
export type Expected = Answer | { readonly 'TLSv1.2': Answer; readonly 'TLSv1.3': Answer };

export interface ServerExpectation {
  /** Prefix of the measured versions; other versions can give other reasons for the same verdict. */
  readonly version: string;
  readonly cells: Readonly<Partial<Record<CellName, Expected>>>;
  /** Instead of the remedy of the cell (remedies.ts). */
  readonly remedies?: Readonly<Partial<Record<CellName, ExpectedRemedy>>>;
  readonly weak?: readonly WeakCell[];
  /** What the server tells and what it does not, for the page. */
  readonly note: string;
}

export const granted: Answer = {
  verdict: 'access-granted',
  step: '–',
  reason: 'HTTP 200',
  certainty: 'observed',
  invocation: '200',
};

export const neverAsked: Answer = {
  verdict: 'not-mutual',
  step: '4',
  reason: 'client-certificate-not-requested',
  certainty: 'observed',
  invocation: '200 with advice; with requireMutual client-certificate-not-requested',
};

export function alert(name: string): Answer {
  return refused(`alert ${name}`, 'observed', `client-certificate-rejected, alert ${name}, observed`);
}

/** An alert with more than one meaning. */
export function ambiguousAlert(name: string): Answer {
  return refused(`alert ${name}`, 'inferred', `client-certificate-rejected, alert ${name}, inferred`);
}

/** The server had the certificate and closed the connection. */
export const closed = refused('closed', 'inferred', 'client-certificate-rejected, inferred');

export function page(status: number): Answer {
  return refused(`HTTP ${status}`, 'observed', `${status} with advice`);
}

function refused(reason: string, certainty: string, invocation: string): Answer {
  return { verdict: 'access-refused', step: '5', reason, certainty, invocation };
}

export function untrusted(code: string, finding = ''): Answer {
  return { verdict: 'server-not-trusted', step: '3', reason: code + finding, certainty: 'observed', invocation: code };
}

export function noHandshake(name: string): Answer {
  return {
    verdict: 'unreachable',
    step: '2',
    reason: `alert ${name}`,
    certainty: 'observed',
    invocation: `tls-negotiation-failed, alert ${name}`,
  };
}

/** The server accepts no signature of the key, so it gets no certificate and answers accordingly. */
export function withoutCertificate(answer: Answer): Answer {
  return { ...answer, step: '4', reason: `client-signature-not-accepted, then ${answer.reason}` };
}

/** The server closed the connection in the middle of the handshake. */
export const closedInHandshake: Answer = {
  verdict: 'unreachable',
  step: '2',
  reason: 'tls-negotiation-failed',
  certainty: 'observed',
  invocation: 'tls-negotiation-failed',
};

/** Step 5 takes place, and nothing shows its result. */
function undecided(reason: string, step: string, certainty: string, invocation = reason): Answer {
  return { verdict: 'access-unknown', step, reason, certainty, invocation };
}

export const misdirected = undecided('HTTP 421', '–', 'observed', '421 with advice');

/** The server does not finish the handshake once it has the certificate. */
export const hangsInHandshake = undecided('handshake-timeout', '5', 'inferred');

/** The server ends the handshake, or lets us end it, and gives no answer. */
export const hangsBehindHandshake = undecided('response-timeout', '5', 'inferred');

/** The result of a diagnosis that sends no request. */
export const grantedWithoutRequest: Answer = {
  verdict: 'access-granted',
  step: '–',
  reason: '–',
  certainty: 'inferred',
  invocation: '–',
};
/** Over TLS 1.3, nothing shows that the server took the certificate. */
export const unknownWithoutRequest: Answer = { ...grantedWithoutRequest, verdict: 'access-unknown' };
export const notAskedWithoutRequest: Answer = { ...neverAsked, invocation: '–' };

export function withoutRequest(answer: Answer): Answer {
  return { ...answer, invocation: '–' };
}

export function perVersion(older: Answer, newer: Answer): Expected {
  return { 'TLSv1.2': older, 'TLSv1.3': newer };
}

export function expectedOf(
  expectation: ServerExpectation,
  cell: CellName,
  version: TlsVersion,
): CellOutcome | undefined {
  const answer = answerOf(expectation.cells[cell], version);
  if (!answer) return undefined;
  const remedy = remedyAt(expectation.remedies?.[cell] ?? remedyOfCell[cell], version);
  return { ...answer, who: whoActs(remedy), remedy };
}

function answerOf(expected: Expected | undefined, version: TlsVersion): Answer | undefined {
  if (!expected || 'verdict' in expected) return expected;
  return version === 'TLSv1.1' ? undefined : expected[version];
}

/** A cell whose first remedy is known to differ from the expected one. */
interface WeakCell {
  readonly cell: CellName;
  readonly version: TlsVersion;
  readonly remedy: RemedyKind;
  /** A sentence. */
  readonly reason: string;
}

/** The expected outcome; of a weak cell with the remedy that it is known to have. */
export function knownOutcomeOf(
  expectation: ServerExpectation,
  cell: CellName,
  version: TlsVersion,
): CellOutcome | undefined {
  const expected = expectedOf(expectation, cell, version);
  const weak = expectation.weak?.find((one) => one.cell === cell && one.version === version);
  return expected && weak ? { ...expected, who: whoActs(weak.remedy), remedy: weak.remedy } : expected;
}

/** *weak*: only who must act or the remedy differs. *wrong*: anything else does. */
export type Grade = 'right' | 'weak' | 'wrong';

export function gradeOf(measured: CellOutcome, expected: CellOutcome | undefined): Grade {
  if (!expected) return 'wrong';
  const differs = (field: keyof CellOutcome) => measured[field] !== expected[field];
  if ((['verdict', 'step', 'reason', 'certainty', 'invocation'] as const).some(differs)) return 'wrong';
  return differs('who') || differs('remedy') ? 'weak' : 'right';
}
