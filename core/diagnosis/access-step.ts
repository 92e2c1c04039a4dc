// Step 5: whether the server accepted our certificate, by its alert, the end of the connection, or its HTTP answer.
import { CountersignError } from '../errors.ts';
import { type PageKind, refusalPage } from '../http/advice.ts';
import { type Certainty, type Finding, failureOf, note, warning } from './diagnosis.ts';
import { hasAsked, type Observation, tookCertificate } from './observation.ts';
import type { ProbeRequest } from './probe.ts';
import { softwareNames, softwareOf } from './server-software.ts';

export interface AccessAssessment {
  readonly outcome: 'granted' | 'refused' | 'unknown' | 'not-reached';
  readonly certainty: Certainty;
  readonly findings: readonly Finding[];
  readonly page: PageKind | undefined;
}

export interface AccessTerms {
  readonly probe: ProbeRequest | undefined;
  /** The server names our issuer, or no issuer; undefined if it did not ask. */
  readonly issuerAccepted: boolean | undefined;
  /** The name in the Host header. */
  readonly site: string;
  /** False if the host is an address and the destination has no serverName: then there is no SNI. */
  readonly hasServerName: boolean;
}

/** Granted needs evidence: a session ticket, or Finished in TLS 1.2 (inferred), or an HTTP answer. */
export function assessAccess(seen: Observation, terms: AccessTerms): AccessAssessment {
  const { probe } = terms;
  const { failure, answer } = seen;
  if (failure?.code === 'client-certificate-rejected') {
    const finding = failureOf(failure, {
      ...(seen.ended ? { ended: seen.ended } : {}),
      protocol: seen.capture.protocol ?? '',
    });
    return { outcome: 'refused', certainty: finding.certainty, findings: [finding], page: undefined };
  }
  // The deadline passed while the server verified our certificate (TLS 1.2).
  if (failure?.step === 5) return unknown([{ ...failureOf(failure), certainty: 'inferred' }]);
  if (!seen.isReady) return { outcome: 'not-reached', certainty: 'observed', findings: [], page: undefined };
  if (answer && probe) return assessAnswer(answer, probe, terms);
  const taken = tookCertificate(seen) && hasAsked(seen);
  // A byte of an answer, HTTP or not, is evidence as a ticket is.
  if (hasAsked(seen) && !taken && !seen.answerBegan && !seen.askedLate) return assessSilence(failure);
  // nginx looks a certificate up in OCSP behind the handshake, and a renegotiation verifies there too.
  if (failure?.code.startsWith('response-') && hasAsked(seen) && !seen.answerBegan) {
    return unknown([...(taken ? [accepted()] : []), { ...failureOf(failure), certainty: 'inferred' }]);
  }
  if (failure) {
    const finding = { ...failureOf(failure), severity: 'warning', certainty: 'inferred' } as const;
    return granted('inferred', [...(taken ? [accepted()] : []), finding]);
  }
  return granted('inferred', [
    ...(taken ? [accepted()] : []),
    note(
      'not-probed',
      'No request was sent; some servers complete every handshake and refuse in HTTP.',
      {},
      'inferred',
    ),
  ]);
}

/** TLS 1.3: no ticket, no refusal, no byte of an answer. */
function assessSilence(failure: CountersignError | undefined): AccessAssessment {
  if (failure) return unknown([{ ...failureOf(failure, { handshake: 'unconfirmed' }), certainty: 'inferred' }]);
  const detail = 'No request was sent; the server neither refused nor confirmed the certificate.';
  return unknown([note('not-probed', detail, {}, 'inferred')]);
}

function unknown(findings: readonly Finding[], certainty: Certainty = 'inferred'): AccessAssessment {
  return { outcome: 'unknown', certainty, findings, page: undefined };
}

function accepted(): Finding {
  return note('client-certificate-accepted', 'The server completed the handshake with the client certificate.');
}

function granted(certainty: Certainty, findings: readonly Finding[]): AccessAssessment {
  return { outcome: 'granted', certainty, findings, page: undefined };
}

function assessAnswer(
  answer: NonNullable<Observation['answer']>,
  probe: ProbeRequest,
  terms: AccessTerms,
): AccessAssessment {
  const { status } = answer;
  // The server may have granted access as to a client without a certificate.
  const isDoubtful = terms.issuerAccepted === false;
  const asked = `${probe.method} ${probe.path.split('?')[0]}`;
  const evidence = { status };
  if (probe.expectStatus === status && status !== 421 && !refusalPage(status, answer.bodyStart)) {
    const finding = note('probe-answered', `${asked} was answered with HTTP ${status}, as expected.`, evidence);
    return granted(isDoubtful ? 'inferred' : 'observed', [finding]);
  }
  if (status === 421) return unknown([misdirected(asked, terms)], 'observed');
  const page = refusalPage(status, answer.bodyStart);
  const software = softwareOf(answer);
  const name = software ? `The server (${softwareNames[software]})` : 'The server';
  if (page || status === 495 || status === 496) {
    const kind = page?.kind ?? (status === 495 ? 'untrusted' : 'none-received');
    const finding = refusal(`${name} completed the handshake and answers in HTTP that ${pageWords[kind]}.`, {
      ...evidence,
      page: kind,
      certainty: 'observed',
    });
    return { outcome: 'refused', certainty: 'observed', findings: [finding], page: kind };
  }
  if (status === 403 || (status === 401 && isDoubtful)) {
    const finding = refusal(
      `${name} completed the handshake and answers ${asked} with HTTP ${status}, without saying whether the certificate is the reason.`,
      { ...evidence, certainty: 'inferred' },
    );
    return { outcome: 'refused', certainty: 'inferred', findings: [finding], page: undefined };
  }
  if (probe.expectStatus === undefined && isAnswerOfApi(status)) {
    const finding = note('probe-answered', `${asked} was answered with HTTP ${status}.`, evidence);
    return granted(isDoubtful ? 'inferred' : 'observed', [finding]);
  }
  const instead = probe.expectStatus === undefined ? '' : `, not ${probe.expectStatus}`;
  const wants = status === 401 ? ': the API wants credentials' : '';
  const says = `${asked} was answered with HTTP ${status}${instead}${wants}, which says nothing about the certificate.`;
  return granted('inferred', [{ ...warning('probe-unexpected-status', says, evidence), certainty: 'inferred' }]);
}

/** RFC 9110, section 15.5.20: the connection is for another site than the request. */
function misdirected(asked: string, { site, hasServerName }: AccessTerms): Finding {
  const sent = hasServerName
    ? 'for the server name (SNI) and the Host'
    : 'for an address without a server name (SNI), as';
  return warning(
    'misdirected-request',
    `${asked} ${sent} ${site} was answered with HTTP 421: the connection belongs to another site, which says nothing about the certificate.`,
    { status: 421, site, ...(hasServerName ? {} : { reason: 'no-server-name' }) },
  );
}

/** About the head of the request, which nginx judges before the certificate (ngx_http_process_request). */
const aboutHead: ReadonlySet<number> = new Set([408, 414, 431]);

/** A redirect can lead to a login, a 5xx can precede the check of the certificate, 400 and 401 have many reasons. */
function isAnswerOfApi(status: number): boolean {
  return (status >= 200 && status < 300) || (status >= 402 && status < 500 && !aboutHead.has(status));
}

function refusal(detail: string, evidence: Record<string, string | number>): Finding {
  return failureOf(new CountersignError('client-certificate-rejected', detail, { evidence }));
}

const pageWords: Readonly<Record<PageKind, string>> = {
  untrusted: 'it does not trust the client certificate',
  'expired-or-revoked': 'the client certificate has expired or was revoked',
  denied: 'the client certificate has no access',
  'wanted-after-handshake':
    'it requests the client certificate only after the handshake, which TLS 1.3 clients need not support',
  'none-received': 'it received no client certificate',
};
