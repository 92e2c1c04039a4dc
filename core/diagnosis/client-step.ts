// Step 4: whether the server asked for our certificate, and whether ours matches what it accepts.
import type { X509Certificate } from 'node:crypto';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import type { PageKind } from '../http/advice.ts';
import type { Identity } from '../identity/identity.ts';
import {
  acceptsIssuer,
  acceptsSignature,
  unacceptedChainSignatures,
  unacceptedLeafSignature,
} from '../tls/handshake-capture/accepted-certificates.ts';
import { daysUntil, expiresSoon } from '../x509/certificate.ts';
import { certificatesFromPem } from '../x509/trust.ts';
import { reportCertificate } from './certificate-report.ts';
import { type ClientReport, type Finding, failing, failureOf, note, type RequestReport, warning } from './diagnosis.ts';
import { askedAtOnce, hasAsked, type Observation } from './observation.ts';
import type { ProbeRequest } from './probe.ts';

export interface ClientAssessment {
  readonly findings: readonly Finding[];
  readonly request: RequestReport;
  readonly client: ClientReport;
}

/** A hostile server may name thousands. */
const mostIssuers = 100;
const mostInWords = 5;

export function assessClient(seen: Observation, identity: Identity, now: number): ClientAssessment {
  const chain = certificatesFromPem(identity.certificate + identity.intermediateCertificates);
  const { capture } = seen;
  const [leaf] = chain as [X509Certificate];
  const request = capture.request;
  const protocol = capture.protocol === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3';
  const ders = chain.map(({ raw }) => raw);
  // A chain that ends too early still leads to the root that the server may know.
  const withRoot = [...ders, ...certificatesFromPem(identity.rootCertificate).map(({ raw }) => raw)];
  const issuer = request && acceptsIssuer(request, withRoot);
  const { sentCertificate } = capture;
  const canSign = request && acceptsSignature(request, protocol, leaf.publicKey);
  const leafSignature = request && unacceptedLeafSignature(request, leaf.raw);
  // The certificate that was sent overrules the forecast.
  const isUnsent = !sentCertificate && (canSign === false || leafSignature !== undefined || sentCertificate === false);
  const findings: Finding[] = [];

  if (identity.usableUntil >= now && expiresSoon(identity.usableUntil, now)) {
    findings.push(
      warning(
        'client-certificate-expires-soon',
        `The identity can be used until ${new Date(identity.usableUntil).toISOString().slice(0, 10)}, for ${daysUntil(identity.usableUntil, now)} days.`,
        { usableUntil: new Date(identity.usableUntil).toISOString() },
      ),
    );
  }
  if (request && issuer && !issuer.accepted) {
    const accepted = request.acceptableIssuers.slice(0, mostInWords).map(({ text }) => text);
    const more = request.acceptableIssuers.length - accepted.length;
    findings.push(
      warning(
        'client-issuer-not-accepted',
        `The server accepts certificates from ${listed(accepted, more)}; ours is issued by ${listed(issuer.ourIssuers, 0, 'below')}.`,
        { accepted, ours: issuer.ourIssuers },
      ),
    );
  }
  if (request && isUnsent && (canSign === false || leafSignature === undefined)) {
    const wanted = request.signatureAlgorithms.slice(0, 20);
    findings.push(
      failing(
        'client-signature-not-accepted',
        canSign === false
          ? `No certificate could be sent: the server accepts no signature algorithm of our key. It accepts ${listed(wanted, 0)}.`
          : `No certificate was sent: our certificate and key fit no signature algorithm of the server. It accepts ${listed(wanted, 0)}.`,
        { ...(wanted.every((name) => /_(?:sha1|md5)$/.test(name)) ? { reason: 'sha1-only' } : {}), wanted },
      ),
    );
  }
  if (request && isUnsent && leafSignature) {
    const wanted = request.certificateSignatureAlgorithms.slice(0, 20);
    findings.push(
      failing(
        'client-signature-not-accepted',
        `No certificate could be sent: ours is signed with ${leafSignature}, which the server does not accept for certificates. It accepts ${listed(wanted, 0)}.`,
        { reason: 'certificate-signature', signature: leafSignature, wanted },
      ),
    );
  }
  const unaccepted = request && !(isUnsent && leafSignature) ? unacceptedChainSignatures(request, ders) : [];
  if (unaccepted.length > 0) {
    findings.push(
      warning(
        'client-chain-signature-not-accepted',
        `Our chain is signed with ${listed(unaccepted, 0)}, which the server does not list.`,
        { signatures: unaccepted },
      ),
    );
  }
  // The stop that comes with every HTTP answer does not count.
  const isUnread = seen.isReady && (capture.asked === undefined || (capture.asked && !request));
  if (isUnread && capture.stopped) {
    const { stopped } = capture;
    const detail = `The handshake is complete, but the request for the client certificate could not be read (${stopped}).`;
    findings.push(note('handshake-not-read', detail, { stopped }));
  }
  const isLate = seen.askedLate;
  if (isLate) {
    findings.push(
      note(
        'client-certificate-asked-late',
        'The server asked for the client certificate only after the request, by renegotiation; a diagnosis cannot read what it accepts there.',
      ),
    );
  }
  return {
    findings,
    request: {
      ...(askedAtOnce(seen) === undefined ? {} : { asked: hasAsked(seen) }),
      ...(isLate ? { afterRequest: true } : {}),
      acceptableIssuers: (request?.acceptableIssuers ?? []).slice(0, mostIssuers).map(({ text }) => text),
      acceptableIssuerCount: request?.acceptableIssuers.length ?? 0,
      signatureAlgorithms: (request?.signatureAlgorithms ?? []).slice(0, mostIssuers),
    },
    client: {
      chain: chain.map(reportCertificate),
      issuers: acceptsIssuer(anything, withRoot).ourIssuers,
      ...(issuer ? { issuerAccepted: issuer.accepted } : {}),
      ...(canSign === undefined ? {} : { signatureAccepted: !isUnsent }),
    },
  };
}

/**
 * The server asked neither in the handshake nor by renegotiation. `page`: what its answer says about certificates, if
 * anything; then this step has a warning, not a failure. Observed only if the caller's path was tried.
 */
export function assessNeverAsked(
  seen: Observation,
  target: Target,
  probe: ProbeRequest | undefined,
  page: PageKind | undefined,
): Finding | undefined {
  const { capture, answer } = seen;
  if (askedAtOnce(seen) !== false || hasAsked(seen) || !seen.isReady) return undefined;
  const asked = probe && answer ? `${probe.method} ${pathOf(probe.path)}` : undefined;
  // 421: another site answered.
  const isProbed =
    answer?.status !== 421 && asked !== undefined && [pathOf(probe?.path ?? ''), '/'].includes(pathOf(target.path));
  const detail = page
    ? `The server did not ask for a client certificate in the handshake; only its response to ${asked} mentions one.`
    : `The server did not ask for a client certificate in the handshake${asked ? `, nor for ${asked}` : ''}. Some servers ask only for some paths: name one with the probe.`;
  const error = new CountersignError('client-certificate-not-requested', detail, {
    evidence: {
      protocol: capture.protocol ?? '',
      ...(isProbed && capture.asked === false ? {} : { certainty: 'inferred' }),
    },
  });
  const finding = failureOf(error);
  return page ? { ...finding, severity: 'warning' } : finding;
}

/** A call with requireMutual ends before its request, so a renegotiation or a page never occurs. */
export function assessDemand({ capture }: Observation): Finding {
  const detail =
    'The server did not ask for a client certificate in the handshake, and the destination requires it (requireMutual): every call ends here, even if the server asks later.';
  const certainty = capture.asked === false ? {} : { certainty: 'inferred' };
  const evidence = { protocol: capture.protocol ?? '', ...certainty };
  return failureOf(new CountersignError('client-certificate-not-requested', detail, { evidence }));
}

/** Without the query, which can be secret. */
function pathOf(path: string): string {
  return path.split('?')[0] ?? '';
}

const anything = {
  acceptableIssuers: [],
  signatureAlgorithms: [],
  certificateSignatureAlgorithms: [],
  certificateTypes: [],
};

/** `A, B and C`, `A and 7 more`; `A, below B` for our issuers. */
function listed(names: readonly string[], more: number, between = 'and'): string {
  const all = more > 0 ? [...names, `${more} more`] : names;
  if (all.length < 2) return all[0] ?? 'none';
  if (between === 'below') return all.join(', below ');
  return `${all.slice(0, -1).join('; ')} and ${all.at(-1)}`;
}
