// Step 3: faults of the server's certificates, and faults that are near.
import type { X509Certificate } from 'node:crypto';
import type { Destination } from '../destination/destination.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import { checkConstraints, checkName, checkPins, type ServerChain } from '../tls/server-certificate.ts';
import { outsideDates, renewalOf, renewalSentence } from '../tls/verification-failure.ts';
import { daysUntil, expiresSoon, findExtension, inDates, subjectText } from '../x509/certificate.ts';
import { readInside, tag } from '../x509/der.ts';
import { weaknessOf } from '../x509/keys.ts';
import { oids } from '../x509/oids.ts';
import { createIssuedBy, type IssuedBy } from '../x509/trust.ts';
import { parseCertificates, reportServerCertificate } from './certificate-report.ts';
import {
  type CertificateReport,
  type Finding,
  failureFrom,
  failureOf,
  type ServerReport,
  type StapledOcsp,
  warning,
} from './diagnosis.ts';
import type { Observation } from './observation.ts';
import { verifyStaple } from './ocsp.ts';
import { type BuiltChain, buildChain, type ChainEnd } from './server-chain.ts';
import { softwareNames, softwareOf } from './server-software.ts';

export interface ServerAssessment {
  readonly findings: readonly Finding[];
  readonly chain: readonly CertificateReport[];
  readonly builtChain: readonly CertificateReport[];
  readonly stapledOcsp: StapledOcsp;
}

/**
 * OpenSSL reports one fault, and only for a complete handshake. This adds its other faults, and those of a handshake
 * that the server ended early.
 */
export function assessServer(
  seen: Observation,
  destination: Destination,
  target: Target,
  now: number,
): ServerAssessment {
  const served = servedIn(seen);
  const [leaf, ...others] = served;
  if (!leaf) {
    const verdict = seen.failure?.step === 3 ? seen.failure : undefined;
    const findings = seen.capture.certificates.length > 0 ? [unreadable(seen)] : verdict ? [failureOf(verdict)] : [];
    return { findings, chain: [], builtChain: [], stapledOcsp: 'none' };
  }
  const isIssuedBy = createIssuedBy();
  const built = buildChain([leaf, ...others], destination.serverRoots, isIssuedBy, now);
  const trusted: ServerChain = (seen.isReady ? seen.chain : undefined) ?? built.certificates;
  const issuer = trusted[1] ?? others.find((one) => isIssuedBy(leaf, one));
  const { stapledOcsp } = seen.capture;
  const staple = stapledOcsp && issuer && verifyStaple(stapledOcsp, leaf, issuer, now, isIssuedBy);
  return {
    findings: [
      ...(seen.isReady ? laterFailures(seen) : failures(seen, served, built, destination, target, now)),
      ...warnings(served, trusted, now, isIssuedBy),
      ...(staple && staple.status !== 'good'
        ? [
            warning(
              `stapled-ocsp-${staple.status}`,
              `The OCSP response that the server staples ${staple.says}. Calls ignore it; other clients can refuse the server.`,
              { ...(staple.nextUpdate ? { nextUpdate: staple.nextUpdate } : {}) },
            ),
          ]
        : []),
      ...(seen.askedForStaple
        ? []
        : [
            warning(
              'stapled-ocsp-refused',
              'The server ends the handshake if a client asks for a stapled OCSP response (status_request). Calls do not ask; browsers and other clients do.',
            ),
          ]),
      ...(seen.askedForStaple && stapledOcsp === undefined && demandsStaple(leaf)
        ? [
            warning(
              'stapled-ocsp-missing',
              `The certificate ${subjectText(leaf)} demands a stapled OCSP response (must-staple), and the server sends none. Calls ignore it; other clients refuse the server.`,
              { subject: subjectText(leaf) },
            ),
          ]
        : []),
    ],
    chain: served.map(reportServerCertificate),
    builtChain: trusted.map(reportServerCertificate),
    stapledOcsp: seen.capture.stapledOcsp ? (staple?.status ?? 'invalid') : 'none',
  };
}

/** Undefined if no server answered. */
export function reportServer(
  { address, capture, answer }: Observation,
  { chain, builtChain, stapledOcsp }: ServerAssessment,
): ServerReport | undefined {
  if (address === undefined && capture.protocol === undefined && chain.length === 0) return undefined;
  const { protocol, cipher, keyExchange, signatureAlgorithm } = capture;
  const software = softwareOf(answer);
  return {
    ...(address === undefined ? {} : { address }),
    chain,
    builtChain,
    ...(protocol === undefined ? {} : { protocol }),
    ...(cipher === undefined ? {} : { cipher }),
    ...(keyExchange === undefined ? {} : { keyExchange }),
    ...(signatureAlgorithm === undefined ? {} : { signatureAlgorithm }),
    stapledOcsp,
    ...(software ? { software: softwareNames[software] } : {}),
  };
}

/** Empty if the first cannot be read. The chain of OpenSSL if the handshake was not captured. */
function servedIn({ capture, chain }: Observation): readonly X509Certificate[] {
  const [leaf, ...others] = capture.certificates;
  if (!leaf) return chain ? [chain[0]] : [];
  const own = parseCertificates([leaf]);
  return own.length > 0 ? [...own, ...parseCertificates(others)] : [];
}

function unreadable({ capture }: Observation): Finding {
  return failureOf(
    new CountersignError('server-certificate-invalid', 'The certificate of the API server cannot be read.', {
      evidence: { reason: 'unreadable', served: capture.certificates.length },
    }),
  );
}

/** A renegotiation can show another certificate after the request. */
function laterFailures({ failure }: Observation): Finding[] {
  return failure?.step === 3 ? [failureOf(failure)] : [];
}

function failures(
  seen: Observation,
  served: readonly X509Certificate[],
  { certificates, end }: BuiltChain,
  { serverName, serverPins, serverRoots }: Destination,
  { host }: Target,
  now: number,
): Finding[] {
  const [leaf] = certificates;
  const verdict = seen.failure?.step === 3 ? seen.failure : undefined;
  const found: (Finding | undefined)[] = certificates.map((certificate) =>
    inDates(certificate, now) ? undefined : failureOf(outsideDates(certificate, now, undefined, serverRoots, served)),
  );
  // The path ends below an issuer that may not sign certificates, or did not sign this one; OpenSSL followed it.
  const isFollowed = ['issuer-key-usage', 'signature-mismatch'].includes(String(verdict?.evidence?.reason));
  if (end.kind !== 'trusted' && !isFollowed) found.push(untrusted(leaf, end, verdict, renewalOf(served, serverRoots)));
  const name = serverName ?? host;
  const misnamed = failureFrom(() => checkName(leaf, name));
  found.push(misnamed);
  if (!misnamed && end.kind === 'trusted')
    found.push(failureFrom(() => checkConstraints(certificates, name, serverRoots)));
  found.push(failureFrom(() => checkPins(seen.chain ?? certificates, serverPins)));
  const own = found.filter((finding) => finding !== undefined);
  return verdict && !own.some(({ code }) => code === verdict.code) ? [failureOf(verdict), ...own] : own;
}

function untrusted(
  leaf: X509Certificate,
  end: Exclude<ChainEnd, { readonly kind: 'trusted' }>,
  verdict: CountersignError | undefined,
  renewal: ReturnType<typeof renewalOf>,
): Finding {
  const says = {
    'self-signed': () => 'it is self-signed',
    'unknown-root': (issuer: string) => `its chain leads to ${issuer}, which is not a trusted authority`,
    'missing-intermediate': (issuer: string) =>
      `the server did not send the certificate of its issuer, ${issuer}, which is not a trusted authority`,
  }[end.kind];
  const issuer = 'issuer' in end ? end.issuer : '';
  const certainty = 'certainty' in end ? end.certainty : 'observed';
  const either =
    certainty === 'inferred'
      ? end.kind === 'missing-intermediate'
        ? ' It looks like an intermediate certificate that the server must send; it may also be a root.'
        : ' It looks like a root; it may also be an intermediate certificate that the server must send.'
      : '';
  const reason = verdict?.evidence?.reason;
  const finding = failureOf(
    new CountersignError(
      'server-certificate-untrusted',
      `The certificate of the API server is refused: ${says(issuer)}.${either}${renewalSentence(renewal ?? {})}`,
    ),
    {
      reason: end.kind,
      subject: subjectText(leaf),
      ...(issuer ? { missingIssuer: issuer } : {}),
      ...(end.kind === 'unknown-root' && end.fingerprint256 ? { fingerprint256: end.fingerprint256 } : {}),
      ...renewal,
      ...(typeof reason === 'string' ? { openssl: reason } : {}),
    },
  );
  return { ...finding, certainty };
}

function warnings(
  served: readonly X509Certificate[],
  chain: readonly X509Certificate[],
  now: number,
  isIssuedBy: IssuedBy,
): Finding[] {
  const found: Finding[] = [];
  for (const certificate of chain) {
    const end = certificate.validToDate.getTime();
    const subject = subjectText(certificate);
    if (end >= now && expiresSoon(end, now)) {
      const validTo = certificate.validToDate.toISOString();
      found.push(
        warning(
          'server-certificate-expires-soon',
          `The certificate ${subject} of the server's chain expires on ${validTo.slice(0, 10)}, in ${daysUntil(end, now)} days.`,
          { subject, validTo },
        ),
      );
    }
    const weakness = weaknessOf(certificate, isIssuedBy(certificate, certificate));
    if (weakness) {
      const what = weakness === 'weak-key' ? 'has a key that is too short' : 'is signed with a broken hash';
      found.push(
        warning('server-certificate-weak', `The certificate ${subject} of the server's chain ${what}.`, {
          subject,
          reason: weakness,
        }),
      );
    }
  }
  const distinct = new Map(served.map((certificate) => [certificate.fingerprint256, certificate]));
  const isTwice = distinct.size < served.length;
  // In the order of first appearance: the repetition may be the only fault.
  if (isTwice || isUnordered(served, isIssuedBy)) {
    found.push(
      warning(
        'server-chain-unordered',
        isTwice && !isUnordered([...distinct.values()], isIssuedBy)
          ? 'The server sends a certificate twice; some clients refuse that.'
          : 'The server sends its chain in the wrong order, or with certificates that do not belong to it; some clients refuse that.',
        { served: served.length },
      ),
    );
  }
  return found;
}

/** RFC 5246, section 7.4.2: each certificate must certify the one before it. A root at the end is allowed. */
function isUnordered(served: readonly X509Certificate[], isIssuedBy: IssuedBy): boolean {
  return served.some(
    (certificate, index) => index > 0 && !isIssuedBy(served[index - 1] as X509Certificate, certificate),
  );
}

/** RFC 7633: the extension lists status_request (5), the extension of a ClientHello that asks for a staple. */
function demandsStaple({ raw }: X509Certificate): boolean {
  const features = findExtension(raw, oids.tlsFeature);
  const listed = (features && readInside(features, tag.sequence, 16)) ?? [];
  return listed.some((feature) => feature.tag === tag.integer && feature.content.equals(Buffer.of(5)));
}
