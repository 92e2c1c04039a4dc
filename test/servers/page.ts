// Writes docs/servers.md from the measurements: a summary, the cells that are the same on every server, and the others.

import { type CellName, cells, type TlsVersion, versionsOf } from './cells.ts';
import { expectations, type ServerName, sameOnAll } from './expectations.ts';
import type { Measured } from './measure.ts';
import { type CellOutcome, expectedOf, gradeOf, type ServerExpectation } from './outcomes.ts';
import type { IdentityRejection } from './rejected-identities.ts';
import { servers } from './servers.ts';

export interface PageContent {
  /** `Debian GNU/Linux 12 (bookworm), Node 24.21.0`. */
  readonly machine: string;
  readonly rejections: Readonly<Record<string, IdentityRejection>>;
  /** Only what was measured. */
  readonly results: Partial<Record<ServerName, { readonly version: string; readonly measured: readonly Measured[] }>>;
}

const rejectionTitles: Readonly<Record<string, string>> = {
  expired: 'expired',
  notYetValid: 'not yet valid',
  serverUsage: 'without client authentication',
  withoutIntermediate: 'intermediate missing',
  keyUsage: 'key usage without digitalSignature',
};

export function pageOf({ machine, rejections, results }: PageContent): string {
  const names = Object.keys(expectations) as ServerName[];
  const measured = names.filter((name) => results[name]);
  const missing = names.filter((name) => !results[name]).map((name) => servers[name].title);
  const sections = sectionsOf(measured, results);
  return `# How real servers respond

Reference: how each server responds to each kind of client certificate, and what Countersign reports. The summary comes
first. [diagnosis.md](diagnosis.md) has the step of each verdict and finding.

\`npm run test:servers\` measures all cells and writes this page. \`npm test\` measures the installed servers again and
compares them with [test/servers/expectations.ts](../test/servers/expectations.ts).

Measured on ${machine}, over loopback.${missing.length > 0 ? ` Not installed, so not measured: ${missing.join(', ')}.` : ''}

## Summary
| server | version | cells | unknown CA, TLS 1.2 | unknown CA, TLS 1.3 | absent certificate, TLS 1.3 |
| --- | --- | --- | --- | --- | --- |
${sections.flatMap(({ heading, members }) => members.map((name) => overview(name, heading, results[name]))).join('\n')}

${wrap(`Each cell is one condition with one TLS version. A call and a diagnosis agree in every cell. In ${weakCells(measured).length} of ${cellCount(measured, results)} cells, the first remedy is not the one that fixes the condition:`)}
${weakCells(measured).map(weakLine).join('\n')}

## Before and after
*Right*: verdict, step, code, certainty, who must act and the first remedy are as the configuration of the server
requires. *Weak*: who must act or the first remedy differs. *Wrong*: anything else differs. The expectations are written
from the configuration before a run, and are the same for both versions.

| servers | rules | cells | right | weak | wrong |
| --- | --- | --: | --: | --: | --: |
| the first 14 | 0.1.0 | 880 | 765 | 106 | 9 |
| the first 14 | 0.2.0 | 880 | 879 | 1 | 0 |
| 12 more | 0.2.0, last run | 671 | 669 | 2 | 0 |

Of the 12, about 489 cells were right at the first run, before the rules were corrected. Two servers were not used to
correct rules. At the first run, Ruby (WEBrick) had 64 right; Java (Bouncy Castle) had 58 right and 1 wrong, where the
expectation was at fault.

## How it is measured
- Each server runs with a configuration of a few lines, on one port for each TLS version. It trusts the root of the
  platform. The platform presents its certificate and intermediate.
- The diagnosis sends \`GET /\` after the handshake, unless the row says that no request is sent. *A call* is the result
  of an invocation of the same URL, with the alert and the certainty of the row.
- *First remedy*: who must act, and the remedy that the diagnosis names first.
- *Absent*: the server accepts RSA signatures only and the identity has an EC key, so OpenSSL sends an empty list. Go
  and Caddy have no such setting; there the identity has an Ed448 key.
- *Revoked*: the server has the revocation lists of both authorities of the platform. *Not on the list* shows that
  another certificate still passes.
- *Without client authentication*: the extended key usage of the certificate is server authentication only.
- The *clock* of a server is that of libfaketime. A verification *hangs* because the server waits for an OCSP responder
  or an authorization check that never responds; the timeout is 3 s.
- *P-256 only*: the server accepts ECDSA on P-256 and no other group. *SHA-1 only*: TLS 1.2, security level 0.
- A condition is measured on each server that has a setting for it.
- A missing intermediate and an unknown root look alike to a client that has neither, so that part is \`inferred\`; that
  the server is not trusted is \`observed\`.

## Refused before any server is called
Countersign checks an identity before it uses it ([identities.md](identities.md#what-is-checked)). The tables below
bypass this check to measure the servers.

| client certificate | verdict | reason | a call |
| --- | --- | --- | --- |
${Object.entries(rejections)
  .map(([client, { verdict, reason, invocation }]) =>
    row([rejectionTitles[client] ?? client, verdict, reason, invocation]),
  )
  .join('\n')}

## The same on every server
Servers differ from this table only where their own table has the same row.

${tableOf(sharedRows())}

${sections.map(({ heading, note, table }) => `## ${heading}\n${wrap(note)}\n\n${table}`).join('\n\n')}
`;
}

type Result = PageContent['results'][ServerName];

/** Lines of at most 120 characters. */
function wrap(text: string): string {
  return text.replace(/(.{1,120})(?: |$)/g, '$1\n').trimEnd();
}

function weakCells(names: readonly ServerName[]) {
  return names.flatMap((name) => {
    const { weak = [] }: ServerExpectation = expectations[name];
    return weak.map((one) => ({ name, ...one }));
  });
}

function weakLine({ name, cell, version, reason }: ReturnType<typeof weakCells>[number]): string {
  const { title } = servers[name];
  return wrap(`- ${title}, TLS ${version.slice('TLSv'.length)}, ${cells[cell].title}: ${reason}`).replaceAll(
    '\n',
    '\n  ',
  );
}

function cellCount(names: readonly ServerName[], results: PageContent['results']): number {
  return names.reduce((sum, name) => sum + (results[name]?.measured.length ?? 0), 0);
}

interface Section {
  readonly heading: string;
  readonly members: ServerName[];
  readonly note: string;
  readonly table: string;
}

/** Servers with the same note and the same rows share a section. */
function sectionsOf(names: readonly ServerName[], results: PageContent['results']): Section[] {
  const sections = new Map<string, { members: ServerName[]; note: string; table: string }>();
  for (const name of names) {
    const { note } = expectations[name];
    const table = tableOf((results[name]?.measured ?? []).filter((one) => !isShared(one)));
    const section = sections.get(note + table);
    if (section) section.members.push(name);
    else sections.set(note + table, { members: [name], note, table });
  }
  return [...sections.values()].map((section) => {
    return { ...section, heading: section.members.map((name) => servers[name].title).join(', ') };
  });
}

const shared: ServerExpectation = { version: '', note: '', cells: sameOnAll };

function sharedRows(): Measured[] {
  return (Object.keys(sameOnAll) as (keyof typeof sameOnAll)[]).flatMap((cell) =>
    versionsOf(cell).map((version) => ({ cell, version, outcome: expectedOf(shared, cell, version) as CellOutcome })),
  );
}

function isShared({ cell, version, outcome }: Measured): boolean {
  return gradeOf(outcome, expectedOf(shared, cell, version)) === 'right';
}

function overview(name: ServerName, heading: string, result: Result): string {
  const at = (cell: CellName, version: TlsVersion) => {
    const outcome = result?.measured.find((one) => one.cell === cell && one.version === version)?.outcome;
    const certainty = outcome?.certainty === 'inferred' ? ', inferred' : '';
    return outcome ? `${outcome.reason.split(', then ').at(-1)}${certainty}` : '–';
  };
  const anchor = heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
  const answers = [at('unknownAuthority', 'TLSv1.2'), at('unknownAuthority', 'TLSv1.3'), at('absent', 'TLSv1.3')];
  return row([
    `[${servers[name].title}](#${anchor})`,
    result?.version ?? '',
    String(result?.measured.length ?? 0),
    ...answers,
  ]);
}

/** TLS versions with the same outcome share a row, and so do cells with the same outcome over the same versions. */
function tableOf(measured: readonly Measured[]): string {
  const lines = new Map<string, { cell: CellName; versions: string[]; outcome: CellOutcome }>();
  for (const { cell, version, outcome } of measured) {
    const key = `${cell} ${Object.values(outcome).join('|')}`;
    const number = version.slice('TLSv'.length);
    const line = lines.get(key);
    if (line) line.versions.push(number);
    else lines.set(key, { cell, versions: [number], outcome });
  }
  const rows = new Map<string, string[]>();
  for (const { cell, versions, outcome } of lines.values()) {
    const { verdict, reason, certainty, invocation, who, remedy } = outcome;
    const call = invocation
      .replace(`, ${reason.split(', then ').at(-1)}, ${certainty}`, '')
      .replace(`, ${certainty}`, '');
    const first = remedy === '–' ? '–' : `${who}: ${remedy}`;
    const result = [versions.join(', '), verdict, reason, certainty, call, first].join(' | ');
    rows.set(result, [...(rows.get(result) ?? []), cells[cell].title]);
  }
  return `| client certificate, or server | TLS | verdict | reason | certainty | a call | first remedy |
| --- | --- | --- | --- | --- | --- | --- |
${[...rows].map(([result, titles]) => row([titles.join('; '), result])).join('\n')}`;
}

function row(columns: readonly string[]): string {
  return `| ${columns.join(' | ')} |`;
}
