// The outcome of a cell in the words of docs/servers.md: one constant or function for each kind of server answer.
import type { CellName, TlsVersion } from './cells.ts';

export interface CellOutcome {
  readonly verdict: string;
  /** The failed step; `–` if no step failed. */
  readonly step: string;
  /** The alert, the HTTP status or the error code. */
  readonly reason: string;
  readonly certainty: string;
  /** The result of an invocation of the same URL. */
  readonly invocation: string;
}

/** One for each TLS version if they differ. */
export type Expected = CellOutcome | { readonly 'TLSv1.2': CellOutcome; readonly 'TLSv1.3': CellOutcome };

export interface ServerExpectation {
  /** Prefix of the measured versions; other versions can give other reasons for the same verdict. */
  readonly version: string;
  readonly cells: Readonly<Partial<Record<CellName, Expected>>>;
  /** What the server tells and what it does not, for the page. */
  readonly note: string;
}

export const granted: CellOutcome = {
  verdict: 'access-granted',
  step: '–',
  reason: 'HTTP 200',
  certainty: 'observed',
  invocation: '200',
};

export const neverAsked: CellOutcome = {
  verdict: 'not-mutual',
  step: '4',
  reason: 'client-certificate-not-requested',
  certainty: 'observed',
  invocation: '200 with advice; with requireMutual client-certificate-not-requested',
};

export function alert(name: string): CellOutcome {
  return refused(`alert ${name}`, 'observed', `client-certificate-rejected, alert ${name}, observed`);
}

/** An alert with more than one meaning. */
export function ambiguousAlert(name: string): CellOutcome {
  return refused(`alert ${name}`, 'inferred', `client-certificate-rejected, alert ${name}, inferred`);
}

/** The server had the certificate and closed the connection. */
export const closed = refused('closed', 'inferred', 'client-certificate-rejected, inferred');

export function page(status: number): CellOutcome {
  return refused(`HTTP ${status}`, 'observed', `${status} with advice`);
}

function refused(reason: string, certainty: string, invocation: string): CellOutcome {
  return { verdict: 'access-refused', step: '5', reason, certainty, invocation };
}

export function untrusted(code: string, finding = ''): CellOutcome {
  return { verdict: 'server-not-trusted', step: '3', reason: code + finding, certainty: 'observed', invocation: code };
}

export function noHandshake(name: string): CellOutcome {
  return {
    verdict: 'unreachable',
    step: '2',
    reason: `alert ${name}`,
    certainty: 'observed',
    invocation: `tls-negotiation-failed, alert ${name}`,
  };
}

/** The server accepts no signature of the key, so it gets no certificate and answers accordingly. */
export function withoutCertificate(answer: CellOutcome): CellOutcome {
  return { ...answer, step: '4', reason: `client-signature-not-accepted, then ${answer.reason}` };
}

/** The server closed the connection in the middle of the handshake. */
export const closedInHandshake: CellOutcome = {
  verdict: 'unreachable',
  step: '2',
  reason: 'tls-negotiation-failed',
  certainty: 'observed',
  invocation: 'tls-negotiation-failed',
};

/** The result of a diagnosis that sends no request. */
export const grantedWithoutRequest: CellOutcome = {
  verdict: 'access-granted',
  step: '–',
  reason: '–',
  certainty: 'inferred',
  invocation: '–',
};
export const notAskedWithoutRequest: CellOutcome = { ...neverAsked, invocation: '–' };

export function withoutRequest(answer: CellOutcome): CellOutcome {
  return { ...answer, invocation: '–' };
}

export function perVersion(older: CellOutcome, newer: CellOutcome): Expected {
  return { 'TLSv1.2': older, 'TLSv1.3': newer };
}

export function expectedOf(
  expectation: ServerExpectation,
  cell: CellName,
  version: TlsVersion,
): CellOutcome | undefined {
  const expected = expectation.cells[cell];
  if (!expected || 'verdict' in expected) return expected;
  return version === 'TLSv1.1' ? undefined : expected[version];
}
