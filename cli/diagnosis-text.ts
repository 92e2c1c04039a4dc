// A diagnosis as text: a line for each step, the verdict, the findings, the remedies.
import type { Diagnosis, Finding, StepReport, StepStatus, Verdict } from '../core/diagnosis/diagnosis.ts';
import { escapeStringsForTerminal } from '../core/escape-for-terminal.ts';
import type { Paint, Style } from './output.ts';

const marks: Readonly<Record<StepStatus, readonly [string, Style]>> = {
  passed: ['✓', 'green'],
  failed: ['✗', 'red'],
  warning: ['!', 'bold'],
  skipped: ['–', 'dim'],
  unknown: ['?', 'bold'],
};

const verdicts: Readonly<Record<Verdict, string>> = {
  'access-granted': 'Access is granted.',
  'access-refused': 'The server refuses the client certificate.',
  'access-unknown': 'Whether the server accepts the client certificate is not known.',
  'not-mutual': 'The server does not verify the client: this is not mutual TLS.',
  'server-not-trusted': 'The server is not trusted.',
  unreachable: 'No TLS connection can be made.',
  'identity-unusable': 'The identity cannot be used.',
};

/** Escapes all remote text. */
export function diagnosisLines(answer: Diagnosis, paint: Paint): string[] {
  const diagnosis = escapeStringsForTerminal(answer);
  const { verdict, certainty, steps, remedies } = diagnosis;
  const isGranted = verdict === 'access-granted';
  const unsaid = certainty === 'inferred' ? ' (inferred: the server does not say so)' : '';
  return [
    ...stepLines(diagnosis, paint),
    '',
    `  ${paint(isGranted ? 'green' : 'red', verdict)}  ${verdicts[verdict]}${unsaid}`,
    ...hintLines(diagnosis),
    ...section(
      'Findings',
      steps.flatMap((step) => findingLines(step, paint)),
      paint,
    ),
    ...section(
      'Remedies',
      remedies.flatMap((remedy) => [
        `  ${paint('bold', remedy.who)}: ${remedy.do}${remedy.tried ? ` (tried: ${remedy.tried === 'worked' ? 'it works' : 'did not help'})` : ''}`,
        ...(remedy.directive ? [`    ${remedy.server}: ${remedy.directive}`] : []),
      ]),
      paint,
    ),
  ];
}

function stepLines(diagnosis: Diagnosis, paint: Paint): string[] {
  const facts = factsOf(diagnosis);
  const widest = Math.max(...diagnosis.steps.map(({ name }) => name.length));
  return diagnosis.steps.map(({ step, name, status, durationMs }, index) => {
    const [mark, style] = marks[status];
    const time = status === 'skipped' ? '' : `${durationMs.toFixed(1)} ms`;
    const text = `${name.padEnd(widest)}  ${time.padStart(9)}  `;
    return `  ${step} ${paint(style, mark)} ${text}${paint('dim', facts[index] ?? '')}`.trimEnd();
  });
}

/** One fact for each step. */
function factsOf({ server, request, client, probe, identity, steps }: Diagnosis): string[] {
  const [leaf] = server?.chain ?? [];
  const [ours] = client?.chain ?? [];
  const asked = request?.asked === false ? 'not asked for' : issuersOf(request?.acceptableIssuers ?? []);
  const facts = [
    server?.address ?? '',
    leaf ? `${leaf.subject}${server?.protocol ? `, ${server.protocol}` : ''}` : '',
    leaf ? `issued by ${leaf.issuer}, valid to ${leaf.validTo.slice(0, 10)}` : '',
    ours && request?.asked !== undefined ? `${ours.subject}, ${identity.stage ?? ''}: ${asked}` : '',
    probe?.status === undefined ? '' : `${probe.method} ${probe.path.split('?')[0]}: HTTP ${probe.status}`,
  ];
  // Step 4 keeps its fact when it is skipped: the issuers that the server accepts.
  return facts.map((fact, index) => (steps[index]?.status === 'skipped' && index !== 3 ? '' : fact.slice(0, 160)));
}

function issuersOf(issuers: readonly string[]): string {
  if (issuers.length === 0) return 'any issuer will do';
  return `issuers ${issuers.slice(0, 2).join('; ')}${issuers.length > 2 ? ` and ${issuers.length - 2} more` : ''}`;
}

const wantsPath: ReadonlySet<Verdict> = new Set(['not-mutual', 'access-granted', 'access-unknown']);

/** The path of the URL is not requested unless --probe names it, because a request can have effects. */
function hintLines({ verdict, url, probe }: Diagnosis): string[] {
  const path = URL.parse(url)?.pathname ?? '/';
  const isTried = path === '/' || path === probe?.path.split('?')[0];
  if (isTried || !wantsPath.has(verdict)) return [];
  return [`  The path of the URL was not tried; where a GET does no harm there: --probe ${path}`];
}

function findingLines({ step, findings }: StepReport, paint: Paint): string[] {
  return findings.map(({ severity, code, detail, certainty }: Finding) => {
    const style = severity === 'failure' ? 'red' : severity === 'warning' ? 'bold' : 'dim';
    return `  ${step} ${paint(style, code)}${certainty === 'inferred' ? ' (inferred)' : ''}: ${detail}`;
  });
}

function section(title: string, lines: readonly string[], paint: Paint): string[] {
  return lines.length > 0 ? ['', paint('bold', title), ...lines] : [];
}
