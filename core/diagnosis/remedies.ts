// Remedies of a diagnosis: who must do what for each finding, with names and directives filled in.
import type { Evidence } from '../errors.ts';
import type { PageKind } from '../http/advice.ts';
import type { ClientFacts } from './client-certificate.ts';
import type { Finding, Remedy, StepReport, TrialResult } from './diagnosis.ts';
import {
  byCode,
  byEvidence,
  ifIntermediate,
  ifRoot,
  letIn,
  slowResponse,
  slowVerification,
} from './finding-remedies.ts';
import { type Entry, type NamedIssuers, refusalRemedies } from './refusal-remedies.ts';
import { serverRemedies } from './server-remedies.ts';
import { directiveFor, type Software, softwareNames } from './server-software.ts';

export interface RemedyContext {
  readonly software: Software | undefined;
  readonly host: string;
  readonly port: number;
  readonly identity: string;
  readonly page: PageKind | undefined;
  /** No certificate could be sent, so nothing was wrong with the one that was not. */
  readonly nothingSent: boolean;
  /** The server asked for the certificate, in the handshake or later. */
  readonly isAsked: boolean;
  /** The server granted access in a response, despite its findings. */
  readonly isGranted: boolean;
  readonly issuers: NamedIssuers;
  /** Undefined if there is no usable identity. */
  readonly client: ClientFacts | undefined;
  /** The result of a remedy that the diagnosis tried. */
  readonly tried: TrialResult | undefined;
}

/** For the operator of a server that is not identified. The customer has the page, but no right to call the API. */
const onThePage =
  'The page docs/customers.md has the configuration for nginx, Apache httpd, HAProxy, Caddy, lighttpd, Tomcat, IIS and others.';

/** In the order of the steps; warnings that prevented nothing come last. */
export function remediesFor(steps: readonly StepReport[], context: RemedyContext): readonly Remedy[] {
  const remedies = new Map<string, Remedy>();
  const findings = steps.flatMap(({ step, findings }) => findings.map((finding) => ({ step, finding })));
  const isAside = ({ step, finding }: (typeof findings)[number]) =>
    finding.code === 'client-certificate-expires-soon' || (step <= 3 && finding.severity === 'warning');
  const inOrder = [...findings.filter((one) => !isAside(one)), ...findings.filter(isAside)];
  for (const { finding } of inOrder) {
    if (finding.severity === 'note') continue;
    for (const entry of entriesFor(finding, context)) {
      if (entry.when && entry.when !== finding.certainty) continue;
      const remedy = fill(entry, finding.evidence ?? {}, context);
      if (!remedies.has(remedy.do)) remedies.set(remedy.do, remedy);
    }
  }
  return [...remedies.values()];
}

function entriesFor(finding: Finding, context: RemedyContext): readonly Entry[] {
  const { page, nothingSent, isGranted } = context;
  const { code, evidence = {}, certainty } = finding;
  const ofServer = serverRemedies(finding);
  if (ofServer) return ofServer;
  // Its remedy is that of the page.
  if (code === 'client-certificate-not-requested' && page === 'wanted-after-handshake') return [];
  // Without a request nothing was refused: its remedy is that of the finding that the server never asked.
  const isUnasked = page === 'none-received' && !context.isAsked;
  if (code === 'client-certificate-rejected') return nothingSent || isUnasked ? [] : refusalRemedies(finding, context);
  // The step that timed out is that of the server's own verification.
  if (certainty === 'inferred' && code === 'handshake-timeout') return slowVerification;
  if (certainty === 'inferred' && code === 'response-timeout') {
    return evidence.handshake === 'unconfirmed' ? slowVerification : slowResponse;
  }
  const value = evidence.reason;
  if (typeof value === 'string' && Object.hasOwn(byEvidence, value)) {
    if (certainty === 'inferred' && value === 'missing-intermediate') return [ifIntermediate, ifRoot];
    if (certainty === 'inferred' && value === 'unknown-root') return [ifRoot, ifIntermediate];
    return byEvidence[value] ?? [];
  }
  if (code === 'client-issuer-not-accepted' && isGranted) return letIn;
  // The remedy for the signature of the handshake comes first.
  if (code === 'client-chain-signature-not-accepted' && nothingSent) return [];
  return byCode[code] ?? [];
}

function fill(
  entry: Entry,
  evidence: Evidence,
  { software, host, port, identity, client, tried }: RemedyContext,
): Remedy {
  const words: Evidence = { ...client, ...evidence, host, port, identity };
  const text = entry.do.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = words[name];
    if (value === undefined) return place;
    return Array.isArray(value) ? value.slice(0, 3).join(', ') : String(value);
  });
  const { task } = entry;
  const directive = task && task !== 'configure-tls' && software ? directiveFor(task, software) : undefined;
  return {
    who: entry.who,
    do: task && !directive ? `${text} ${onThePage}` : text,
    ...(directive && software ? { directive, server: softwareNames[software] } : {}),
    ...(entry.isTried && tried ? { tried } : {}),
  };
}
