// The configurations of docs/customers.md for one customer's server: its name, its port, its folder and what answers behind it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unavailable } from '../exit-code.ts';
import { serverFiles } from './server-files.ts';
import type { SubjectForms } from './subject-forms.ts';

export interface CustomerServer {
  readonly host: string;
  readonly port: number;
  /** Where the customer puts the files of the pack and of its own certificate. */
  readonly folder: string;
  /** What answers behind the server in plain HTTP. */
  readonly behind: { readonly host: string; readonly port: number };
  /** Of the platform's client certificate. */
  readonly subject: SubjectForms;
}

const page = join(import.meta.dirname, '../../docs/customers.md');

/** Where nothing can be written that is sure to be the subject; the line is a comment, and lets nobody in that it should not. */
export const noSubject = 'THE SUBJECT AS THIS SERVER WRITES IT';

/** Sentences of the page that are not true of the page in a pack, and what stands there instead. */
const rewritten: readonly (readonly [RegExp, string])[] = [
  [
    /^The platform gives you its certificates as one PEM text[\s\S]*?proves nothing:$/m,
    'The certificates of the platform are the files beside this page: `platform-root.pem` is the **root**, `platform-intermediates.pem` are those below it, `client.pem` is the client certificate. They hold no secret, but compare the\nSHA-256 fingerprint of the root over a second channel (by telephone, say) before you trust it; the one in README.md proves nothing:',
  ],
  [
    / Ask the platform for its text: each server writes it in its own way\./,
    ' README.md has its text as each server writes it.',
  ],
  [
    /All of them use the same files\. Put your own name [\s\S]*?`127\.0\.0\.1:8080`\./,
    'All of them use the same files. Names, ports and folders are those that the pack was made for; the same configurations are in `servers/`.',
  ],
  [/ What each server says when it refuses is in \[servers\.md\]\(servers\.md\)\./, ''],
];

/** A file for each server, and the page itself as it is true of a pack, without links to pages that the customer does not have. */
export async function configurationFiles(server: CustomerServer): Promise<readonly (readonly [string, string])[]> {
  const text = await readFile(page, 'utf8').catch(() => {
    throw unavailable(
      'page-missing',
      'The page docs/customers.md, which has the configurations, is not beside the command.',
    );
  });
  const [, configurations = ''] = /^## Configurations\n([\s\S]*?)(?=^## )/m.exec(text) ?? [];
  const blocks = [...configurations.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  const files = blocks.flatMap(([, language = '', block = '']) => {
    const file = serverFiles[language];
    if (file === undefined) return [];
    const opening = file.opening.replaceAll('FOLDER', server.folder);
    return [[file.name, `${opening}\n${withListen(language, localized(block, language, server), server)}`] as const];
  });
  const ours = rewritten.reduce((whole, [sentence, instead]) => whole.replace(sentence, () => instead), text);
  const local = ours.split(/^(?=```)/m).map((part) => localized(part, /^```(\w+)/.exec(part)?.[1] ?? '', server));
  return [...files, ['for-your-server.md', local.join('').replace(/\[([^\]]+)\]\([^)\s]+\)/g, '$1')]];
}

const port = 443;

/**
 * What stands on the page for the customer's own; all in one go, so that nothing of a name or an address that was put in
 * is taken for something to replace.
 */
const replaced = new RegExp(
  [
    '(?<folder>/etc/ssl/api)',
    '"host" => "127\\.0\\.0\\.1", "port" => 8080(?<lighttpd>)',
    '(?<behind>127\\.0\\.0\\.1:8080)',
    // Caddy and a URL have the port behind the name; everywhere else it stands alone.
    '(?<site>^api\\.acme\\.example(?= \\{))',
    '(?<host>api\\.acme\\.example)',
    '(?<subject>CN=bot-platform,O=Acme|/O=Acme/CN=bot-platform|O=Acme\\\\nCN=bot-platform|(?<=user=)bot-platform)',
    `\\b(?<port>${port})\\b`,
  ].join('|'),
  'gm',
);

function localized(text: string, language: string, server: CustomerServer): string {
  const form = serverFiles[language]?.subject;
  const behind = `${server.behind.host}:${server.behind.port}`;
  return text.replace(replaced, (...found: unknown[]) => {
    const groups = found.at(-1) as Record<string, string | undefined>;
    if (groups.folder !== undefined) return server.folder;
    if (groups.lighttpd !== undefined) return `"host" => "${server.behind.host}", "port" => ${server.behind.port}`;
    if (groups.behind !== undefined) return behind;
    if (groups.subject !== undefined) return (form && server.subject[form]) ?? noSubject;
    if (groups.site !== undefined) return server.port === port ? server.host : `${server.host}:${server.port}`;
    return groups.host === undefined ? String(server.port) : server.host;
  });
}

/** Apache listens on 443 by itself where mod_ssl is there, and on other ports only where it is told to. */
function withListen(language: string, text: string, server: CustomerServer): string {
  return language === 'apache' && server.port !== port ? `Listen ${server.port}\n\n${text}` : text;
}
