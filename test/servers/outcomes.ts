// The words for what Countersign makes of a cell: one for each way in which a server can answer.
import type { CellName, TlsVersion } from './cells.ts';

export interface Told {
  readonly verdict: string;
  /** The step that failed; `–` when none did. */
  readonly step: string;
  /** The alert, the HTTP status or the code that says why. */
  readonly reason: string;
  readonly certainty: string;
  /** What a call comes to. */
  readonly invocation: string;
}

/** One for each version where they differ. */
export type Expected = Told | { readonly 'TLSv1.2': Told; readonly 'TLSv1.3': Told };

export interface Truth {
  /** The versions that were measured begin with it; others may say the same in other words. */
  readonly version: string;
  readonly cells: Readonly<Partial<Record<CellName, Expected>>>;
  /** What nobody can learn from the wire, for the page. */
  readonly silence: string;
}

export const granted: Told = {
  verdict: 'access-granted',
  step: '–',
  reason: 'HTTP 200',
  certainty: 'observed',
  invocation: '200',
};

export const neverAsked: Told = {
  verdict: 'not-mutual',
  step: '4',
  reason: 'client-certificate-not-requested',
  certainty: 'observed',
  invocation: '200; with requireMutual client-certificate-not-requested',
};

export function alert(name: string): Told {
  return refused(`alert ${name}`, 'observed', `client-certificate-rejected, alert ${name}, observed`);
}

/** An alert that has more meanings than one. */
export function vague(name: string): Told {
  return refused(`alert ${name}`, 'inferred', `client-certificate-rejected, alert ${name}, inferred`);
}

/** It had the certificate and closed. */
export const closed = refused('closed', 'inferred', 'client-certificate-rejected, inferred');

export function page(status: number): Told {
  return refused(`HTTP ${status}`, 'observed', `${status} with advice`);
}

function refused(reason: string, certainty: string, invocation: string): Told {
  return { verdict: 'access-refused', step: '5', reason, certainty, invocation };
}

export function untrusted(code: string, finding = ''): Told {
  return { verdict: 'server-not-trusted', step: '3', reason: code + finding, certainty: 'observed', invocation: code };
}

export function noHandshake(name: string): Told {
  return {
    verdict: 'unreachable',
    step: '2',
    reason: `alert ${name}`,
    certainty: 'observed',
    invocation: `tls-negotiation-failed, alert ${name}`,
  };
}

/** The key can make no signature that the server takes, so it gets no certificate, and answers as it does then. */
export function absent(answer: Told): Told {
  return { ...answer, step: '4', reason: `client-signature-not-accepted, then ${answer.reason}` };
}

/** It closed in the middle of the handshake. */
export const noWord: Told = {
  verdict: 'unreachable',
  step: '2',
  reason: 'tls-negotiation-failed',
  certainty: 'observed',
  invocation: 'tls-negotiation-failed',
};

/** What a diagnosis that sends no request can know. */
export const presumed: Told = {
  verdict: 'access-granted',
  step: '–',
  reason: '–',
  certainty: 'inferred',
  invocation: '–',
};
export const notAskedYet: Told = { ...neverAsked, invocation: '–' };

export function quietly(answer: Told): Told {
  return { ...answer, invocation: '–' };
}

export function perVersion(older: Told, newer: Told): Expected {
  return { 'TLSv1.2': older, 'TLSv1.3': newer };
}

export function expectedOf(truth: Truth, cell: CellName, version: TlsVersion): Told | undefined {
  const expected = truth.cells[cell];
  if (!expected || 'verdict' in expected) return expected;
  return version === 'TLSv1.1' ? undefined : expected[version];
}
