// Builds the report of one connection: five steps, the verdict of the first failed step, the remedies.
import type { Destination } from '../destination/destination.ts';
import type { Target } from '../destination/target.ts';
import type { CountersignError, Step } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { roundMs } from '../tls/attempt.ts';
import { type AccessAssessment, assessAccess } from './access-step.ts';
import { clientFacts, suspectFindings } from './client-certificate.ts';
import { assessClient, assessDemand, assessNeverAsked } from './client-step.ts';
import {
  type Diagnosis,
  type Finding,
  failureOf,
  note,
  type StepReport,
  stepOf,
  type TrialResult,
  type Verdict,
} from './diagnosis.ts';
import { answeredRequest, askedAtOnce, hasAsked, type Observation } from './observation.ts';
import type { ProbeRequest } from './probe.ts';
import { issuersOf } from './refusal-remedies.ts';
import { remediesFor } from './remedies.ts';
import { softwareOf } from './server-software.ts';
import { assessServer, reportServer } from './server-step.ts';

export interface AssessmentTerms {
  readonly identity: Identity;
  readonly destination: Destination;
  readonly target: Target;
  readonly probe: ProbeRequest | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Result of a second connection with a remedy that the platform can apply at once. */
  readonly tried?: TrialResult;
}

/** Without the URL, the name of the identity and the total time, which the use case adds. */
export type Report = Omit<Diagnosis, 'url' | 'identity' | 'totalMs'>;

export interface Assessment {
  readonly report: Report;
  /** Step 5: a page can require a second connection. */
  readonly access: AccessAssessment;
}

export function assess(seen: Observation, terms: AssessmentTerms): Assessment {
  const { identity, destination, target, probe, now, tried } = terms;
  const { capture, failure, attempt } = seen;
  const verificationStartedAt = performance.now();
  const server = assessServer(seen, destination, target, now);
  const client = assessClient(seen, identity, now);
  const access = assessAccess(seen, {
    probe,
    issuerAccepted: client.client.issuerAccepted,
    site: destination.serverName ?? target.host,
    hasServerName: destination.serverName !== undefined || target.address === undefined,
  });
  const isMisdirected = seen.answer?.status === 421 && access.outcome === 'unknown';
  const isBarred = destination.requireMutual === true && seen.isReady && askedAtOnce(seen) === false;
  const neverAsked = isBarred ? assessDemand(seen) : assessNeverAsked(seen, target, probe, access.page);
  const verificationMs = performance.now() - verificationStartedAt;

  const early = failure?.step === 1 || failure?.step === 2 ? failureOf(failure) : undefined;
  const isServed = capture.certificates.length > 0 || server.chain.length > 0;
  const isUntrusted = server.findings.some(({ severity }) => severity === 'failure');
  const isConnected = seen.connectedAt > 0;
  const isAnswered = seen.isReady || failure?.step === 5 || answeredRequest(seen);
  const endOfServing = seen.servedAt || seen.endedAt;
  // A request that set off a renegotiation, and an answer that wants one, are about the certificate all the same.
  const nothingSent = client.client.signatureAccepted === false;
  const isAsked = hasAsked(seen) || access.page !== undefined;
  const isAboutUs = !isBarred && (isMisdirected || (nothingSent ? access.outcome === 'refused' : isAsked));
  const suspects =
    access.outcome === 'refused' && isAboutUs && !nothingSent
      ? suspectFindings(identity, client.client, access, now)
      : [];

  const steps: StepReport[] = [
    stepOf(1, failure?.step === 1 && early ? [early] : [], roundMs(attempt.dnsMs + attempt.connectMs)),
    stepOf(
      2,
      failure?.step === 2 && early ? [early, ...oldProtocol(capture.protocol)] : [],
      isConnected ? roundMs(endOfServing - seen.connectedAt) : 0,
      isConnected,
    ),
    stepOf(3, server.findings, isServed ? roundMs(verificationMs) : 0, isServed || failure?.step === 3),
    stepOf(
      4,
      [...client.findings, ...suspects, ...(neverAsked ? [neverAsked] : [])],
      isAnswered && seen.servedAt ? roundMs((seen.readyAt || seen.endedAt) - seen.servedAt) : 0,
      askedAtOnce(seen) !== undefined && isAnswered && early === undefined,
    ),
    stepOf(
      5,
      [...(isAboutUs ? access.findings : []), ...(tried ? [trial(tried)] : [])],
      seen.readyAt && isAboutUs ? roundMs(seen.endedAt - seen.readyAt) : 0,
      isAboutUs && access.outcome !== 'not-reached' && early === undefined,
      access.outcome === 'unknown',
    ),
  ];
  const verdict = verdictOf();
  const serverReport = reportServer(seen, server);
  const report: Report = {
    verdict,
    certainty: certaintyOf(verdict, steps, access),
    steps,
    ...(serverReport ? { server: serverReport } : {}),
    request: client.request,
    client: client.client,
    ...(probe && seen.isReady
      ? {
          probe: {
            method: probe.method,
            path: probe.path,
            ...(seen.answer ? { status: seen.answer.status } : {}),
            ...(probe.expectStatus === undefined ? {} : { expectStatus: probe.expectStatus }),
          },
        }
      : {}),
    remedies: remediesFor(steps, {
      software: softwareOf(seen.answer),
      host: target.host,
      port: target.port,
      identity: identity.name,
      page: isBarred ? undefined : access.page,
      nothingSent,
      isAsked: hasAsked(seen),
      isGranted: verdict === 'access-granted' && seen.answer !== undefined,
      issuers: issuersOf(client.request, client.client),
      client: clientFacts(identity, now),
      tried,
    }),
  };
  return { report, access };

  function verdictOf(): Verdict {
    if (early) return 'unreachable';
    if (isUntrusted) return 'server-not-trusted';
    if (access.outcome === 'refused' && isAboutUs) return 'access-refused';
    if (!hasAsked(seen) || nothingSent || isBarred) return 'not-mutual';
    if (access.outcome === 'unknown') return 'access-unknown';
    return 'access-granted';
  }
}

function certaintyOf(verdict: Verdict, steps: readonly StepReport[], access: AccessAssessment): Diagnosis['certainty'] {
  if (verdict === 'access-granted' || verdict === 'access-refused' || verdict === 'access-unknown') {
    return access.certainty;
  }
  const failed = steps.find(({ status }) => status === 'failed');
  const reason = failed?.findings.find(({ severity }) => severity === 'failure');
  // That the server is not trusted is certain, whichever certificate is missing.
  return verdict === 'server-not-trusted' ? 'observed' : (reason?.certainty ?? 'observed');
}

function oldProtocol(protocol: string | undefined): Finding[] {
  if (!protocol || protocol === 'TLSv1.2' || protocol === 'TLSv1.3') return [];
  return [note('server-protocol-old', `The server requires ${protocol}, which is not secure.`, { protocol })];
}

function trial(tried: TrialResult): Finding {
  const sentence = {
    worked: 'Tried with TLS 1.2: the server asked for the certificate, accepted it, and granted access.',
    'did-not-help': 'Tried with TLS 1.2: the server still refused.',
  }[tried];
  return note('tls12-tried', sentence, { worked: tried === 'worked' });
}

export function unusableIdentity(error: CountersignError, identity: string): Report {
  const steps = ([1, 2, 3, 4, 5] as const satisfies readonly Step[]).map((step) =>
    stepOf(step, step === 4 ? [failureOf(error)] : [], 0, step === 4),
  );
  const remedies = remediesFor(steps, {
    software: undefined,
    host: '',
    port: 0,
    identity,
    page: undefined,
    nothingSent: true,
    isAsked: false,
    isGranted: false,
    issuers: 'any',
    client: undefined,
    tried: undefined,
  });
  return { verdict: 'identity-unusable', certainty: 'observed', steps, remedies };
}
