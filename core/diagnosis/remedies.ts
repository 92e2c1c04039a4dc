// The remedies of a diagnosis: each finding's entries in the table, with its names put in and the directive of the server.
import type { Evidence } from '../errors.ts';
import type { PageKind } from '../http/advice.ts';
import type { Finding, Remedy, StepReport, TrialResult } from './diagnosis.ts';
import { directiveFor } from './directives.ts';
import { byCode, byEvidence, type Entry, ifIntermediate, ifRoot, letIn, lookUp, trust } from './remedy-table.ts';
import { type Software, softwareNames } from './software.ts';

export interface RemedyContext {
  readonly software: Software | undefined;
  readonly host: string;
  readonly port: number;
  readonly identity: string;
  readonly page: PageKind | undefined;
  /** No certificate could be sent, so nothing was wrong with the one that was not. */
  readonly nothingSent: boolean;
  /** What it did not like did not keep it from letting us in. */
  readonly isGranted: boolean;
  /** What came of trying what can be tried. */
  readonly tried: TrialResult | undefined;
}

/** For whoever runs the server, where nobody can tell which it is. The customer has the page, and no right to call the API. */
const onThePage =
  'The page docs/customers.md has the configuration for nginx, Apache httpd, HAProxy, Caddy, lighttpd, Tomcat, IIS and others.';

/** In the order of the steps, but what is merely unwell with the server's own certificate comes last: it kept nobody out. */
export function remediesFor(steps: readonly StepReport[], context: RemedyContext): readonly Remedy[] {
  const remedies = new Map<string, Remedy>();
  const findings = steps.flatMap(({ step, findings }) => findings.map((finding) => ({ step, finding })));
  const isAside = ({ step, finding }: (typeof findings)[number]) => step <= 3 && finding.severity === 'warning';
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

function entriesFor(finding: Finding, { page, nothingSent, isGranted }: RemedyContext): readonly Entry[] {
  const { code, evidence = {}, certainty } = finding;
  // Its remedy is that of the page.
  if (code === 'client-certificate-not-requested' && page === 'wanted-after-handshake') return [];
  for (const key of ['alert', 'page', 'reason'] as const) {
    const value = evidence[key];
    if (typeof value !== 'string' || !Object.hasOwn(byEvidence, value)) continue;
    if (certainty === 'inferred' && value === 'missing-intermediate') return [ifIntermediate, ifRoot];
    if (certainty === 'inferred' && value === 'unknown-root') return [ifRoot, ifIntermediate];
    return byEvidence[value] ?? [];
  }
  if (code === 'client-issuer-not-accepted' && isGranted) return letIn;
  // What is said of the handshake's signature comes first.
  if (code === 'client-chain-signature-not-accepted' && nothingSent) return [];
  if (code === 'client-certificate-rejected') {
    if (nothingSent) return [];
    return certainty === 'observed' ? trust : [...trust, ...lookUp];
  }
  return byCode[code] ?? [];
}

function fill(entry: Entry, evidence: Evidence, { software, host, port, identity, tried }: RemedyContext): Remedy {
  const words: Evidence = { ...evidence, host, port, identity };
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
