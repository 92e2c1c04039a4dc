// Step 5: whether the server accepted our certificate, by its alert, the end of the connection, or its HTTP answer.
import { CountersignError } from '../errors.ts';
import { type PageKind, refusalPage } from '../http/advice.ts';
import { type Certainty, type Finding, failureOf, note, warning } from './diagnosis.ts';
import { hasAsked, type Observation, tookCertificate } from './observation.ts';
import type { ProbeRequest } from './probe.ts';
import { softwareNames, softwareOf } from './server-software.ts';

export interface AccessAssessment {
  readonly outcome: 'granted' | 'refused' | 'not-reached';
  readonly certainty: Certainty;
  readonly findings: readonly Finding[];
  readonly page: PageKind | undefined;
}

/** `issuerAccepted`: the server names our issuer, or no issuer; undefined if it did not ask. */
export function assessAccess(
  seen: Observation,
  probe: ProbeRequest | undefined,
  issuerAccepted: boolean | undefined,
): AccessAssessment {
  const { failure, answer } = seen;
  if (failure?.code === 'client-certificate-rejected') {
    const finding = failureOf(failure, {
      ...(seen.ended ? { ended: seen.ended } : {}),
      protocol: seen.capture.protocol ?? '',
    });
    return { outcome: 'refused', certainty: finding.certainty, findings: [finding], page: undefined };
  }
  if (!seen.isReady) return { outcome: 'not-reached', certainty: 'observed', findings: [], page: undefined };
  if (answer && probe) {
    const access = assessAnswer(answer, probe);
    // The server may have granted access as to a client without a certificate.
    return access.outcome === 'granted' && issuerAccepted === false ? { ...access, certainty: 'inferred' } : access;
  }
  const taken = tookCertificate(seen) && hasAsked(seen);
  if (failure) {
    const finding = { ...failureOf(failure), severity: 'warning', certainty: 'inferred' } as const;
    return granted('inferred', [...(taken ? [accepted()] : []), finding]);
  }
  return granted('inferred', [
    ...(taken ? [accepted()] : []),
    note(
      'not-probed',
      taken
        ? 'No request was sent; some servers complete every handshake and refuse in HTTP.'
        : 'No request was sent; the server neither refused nor confirmed the certificate.',
      {},
      'inferred',
    ),
  ]);
}

function accepted(): Finding {
  return note('client-certificate-accepted', 'The server accepted the certificate and completed the handshake.');
}

function granted(certainty: Certainty, findings: readonly Finding[]): AccessAssessment {
  return { outcome: 'granted', certainty, findings, page: undefined };
}

function assessAnswer(answer: NonNullable<Observation['answer']>, probe: ProbeRequest): AccessAssessment {
  const { status } = answer;
  const asked = `${probe.method} ${probe.path.split('?')[0]}`;
  const evidence = { status };
  if (probe.expectStatus === status) {
    const finding = note('probe-answered', `${asked} was answered with HTTP ${status}, as expected.`, evidence);
    return granted('observed', [finding]);
  }
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
  if (status === 403) {
    const finding = refusal(
      `${name} completed the handshake and answers ${asked} with HTTP 403, without saying whether the certificate is the reason.`,
      { ...evidence, certainty: 'inferred' },
    );
    return { outcome: 'refused', certainty: 'inferred', findings: [finding], page: undefined };
  }
  if (probe.expectStatus === undefined && isAnswerOfApi(status)) {
    const finding = note('probe-answered', `${asked} was answered with HTTP ${status}.`, evidence);
    return granted('observed', [finding]);
  }
  const instead = probe.expectStatus === undefined ? '' : `, not ${probe.expectStatus}`;
  const wants = status === 401 ? ': the API wants credentials' : '';
  const says = `${asked} was answered with HTTP ${status}${instead}${wants}, which says nothing about the certificate.`;
  return granted('inferred', [{ ...warning('probe-unexpected-status', says, evidence), certainty: 'inferred' }]);
}

/** A redirect can lead to a login, a 5xx can precede the check of the certificate, 400 and 401 have many reasons. */
function isAnswerOfApi(status: number): boolean {
  return (status >= 200 && status < 300) || (status >= 402 && status < 500);
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
