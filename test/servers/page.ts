// Writes docs/servers.md from what was measured: one table for each server, and what it does not tell.
import type { Refusal } from './beforehand.ts';
import { type CellName, cells, type TlsVersion } from './cells.ts';
import { type ServerName, truths } from './expected.ts';
import type { Measured } from './measure.ts';
import { servers } from './servers.ts';
import type { Told } from './told.ts';

export interface PageContent {
  /** `Debian GNU/Linux 12 (bookworm), Node 24.21.0`. */
  readonly machine: string;
  readonly beforehand: Readonly<Record<string, Refusal>>;
  /** Only what was measured. */
  readonly results: Partial<Record<ServerName, { readonly version: string; readonly measured: readonly Measured[] }>>;
}

const beforehandTitles: Readonly<Record<string, string>> = {
  expired: 'expired',
  notYetValid: 'not yet valid',
  serverUsage: 'without client authentication',
  withoutIntermediate: 'its intermediate missing',
};

export function pageOf({ machine, beforehand, results }: PageContent): string {
  const names = Object.keys(truths) as ServerName[];
  const measured = names.filter((name) => results[name]);
  const left = names.filter((name) => !results[name]).map((name) => servers[name].title);
  return `# What servers say

What real servers do with every kind of client certificate, and what Countersign makes of it: the verdict of a diagnosis, the step that failed, the reason as far
as the server gives one, and whether that was \`observed\` or had to be \`inferred\`. \`npm run test:servers\` measures all of it and writes this page;
\`npm test\` measures it again on the servers that are installed, and holds it to what was written down by hand
([test/servers/expected.ts](../test/servers/expected.ts)).

Measured on ${machine}, over loopback.${left.length > 0 ? ` Not measured, because they were not installed: ${left.join(', ')}.` : ''}

## In short
| server | version | to a certificate of an unknown CA, TLS 1.2 | TLS 1.3 | an absent one, TLS 1.3 |
| --- | --- | --- | --- | --- |
${measured.map((name) => overview(name, results[name])).join('\n')}

## How it is measured
- Each server is another people's program with a configuration of a few lines, on a port of its own for each TLS version. It trusts the root of the platform; the
  platform presents the certificate and its intermediate.
- The diagnosis sends \`GET /\` after the handshake, unless the row says that no request is sent. *A call* is what an invocation of the same URL comes to.
- *Absent*: Countersign always has a certificate, so the server is told to take RSA signatures alone and the identity has an EC key: OpenSSL then sends an empty
  list. Go and Caddy have no such setting; there the identity has an Ed448 key.
- *Revoked*: the server is given the revocation lists of both authorities of the platform; *not on the list* is the proof that another certificate still passes.
- *Without client authentication*: its extended key usage is server authentication alone.
- *Only on TLS 1.1*: that it does speak it is checked first.
- Whether the server's chain lacks an intermediate or ends at an unknown root, nobody can know who holds neither: it follows from what was served, so it is
  \`inferred\`, while that it is not trusted is \`observed\`.
- gnutls-serv listens on every interface, so it runs in a network namespace of its own, behind a relay.
- Where another version of a server is installed, \`npm test\` holds it to the verdict and the step alone: it may say the same in other words.

## What never gets as far as a server
An identity is checked before it is used ([identities.md](identities.md#what-is-checked)). In the tables below this check was passed by, to learn what the server
would say.

| the client certificate | verdict | reason | a call |
| --- | --- | --- | --- |
${Object.entries(beforehand)
  .map(([client, { verdict, reason, invocation }]) =>
    row([beforehandTitles[client] ?? client, verdict, reason, invocation]),
  )
  .join('\n')}

${measured.map((name) => section(name, results[name])).join('\n\n')}
`;
}

type Result = PageContent['results'][ServerName];

function overview(name: ServerName, result: Result): string {
  const at = (cell: CellName, version: TlsVersion) => {
    const told = result?.measured.find((one) => one.cell === cell && one.version === version)?.told;
    return told ? `${told.reason.split(', then ').at(-1)}, ${told.certainty}` : '–';
  };
  const { title } = servers[name];
  const link = `[${title}](#${title
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-')})`;
  const answers = [at('unknownAuthority', 'TLSv1.2'), at('unknownAuthority', 'TLSv1.3'), at('absent', 'TLSv1.3')];
  return row([link, result?.version ?? '', ...answers]);
}

function section(name: ServerName, result: Result): string {
  return `## ${servers[name].title}
${truths[name].silence}

| the client certificate, or else | TLS | verdict | step | reason | certainty | a call |
| --- | --- | --- | --- | --- | --- | --- |
${rows(result?.measured ?? []).join('\n')}`;
}

/** Versions that came to the same share a row. */
function rows(measured: readonly Measured[]): string[] {
  const lines = new Map<string, { cell: CellName; versions: TlsVersion[]; told: Told }>();
  for (const { cell, version, told } of measured) {
    const key = `${cell} ${Object.values(told).join('|')}`;
    const line = lines.get(key);
    if (line) line.versions.push(version);
    else lines.set(key, { cell, versions: [version], told });
  }
  return [...lines.values()].map(({ cell, versions, told }) => {
    const { verdict, step, reason, certainty, invocation } = told;
    const numbers = versions.map((version) => version.slice('TLSv'.length)).join(', ');
    return row([cells[cell].title, numbers, verdict, step, reason, certainty, invocation]);
  });
}

function row(columns: readonly string[]): string {
  return `| ${columns.join(' | ')} |`;
}
