// The configurations of docs/customers.md, adapted to one customer's server.

import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageFolder } from '../../core/package-folder.ts';
import { readCertificateFields } from '../../core/x509/certificate.ts';
import { attributeName, readRelativeNames } from '../../core/x509/distinguished-name.ts';
import { unavailable } from '../exit-code.ts';

export interface CustomerServer {
  readonly host: string;
  readonly port: number;
  /** Path of the folder for the files of the pack and the server's own certificate. */
  readonly folder: string;
  /** The plain HTTP backend. */
  readonly behind: { readonly host: string; readonly port: number };
  /** The subject of the platform's client certificate. */
  readonly subject: SubjectForms;
}

const page = join(packageFolder, 'docs/customers.md');

/** For a subject that has no certain form. It stands in a comment, so it accepts no caller. */
const subjectPlaceholder = 'THE SUBJECT AS THIS SERVER WRITES IT';

/** Sentences of the page that do not apply inside a pack, and their replacements. A blank also matches a line break. */
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

/** A file for each server, and the page itself without links to pages that the customer does not have. */
export async function configurationFiles(server: CustomerServer): Promise<readonly (readonly [string, string])[]> {
  const text = await readFile(page, 'utf8').catch(() => {
    throw unavailable(
      'page-missing',
      'The page docs/customers.md, which has the configurations, is missing beside the command.',
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
  const ours = rewritten.reduce((whole, [sentence, instead]) => {
    const acrossLines = new RegExp(sentence.source.replaceAll(' ', '\\s+'), sentence.flags);
    return whole.replace(acrossLines, () => instead);
  }, text);
  const local = ours.split(/^(?=```)/m).map((part) => localized(part, /^```(\w+)/.exec(part)?.[1] ?? '', server));
  return [...files, ['for-your-server.md', local.join('').replace(/\[([^\]]+)\]\([^)\s]+\)/g, '$1')]];
}

const port = 443;

/**
 * The placeholders of the page. Replaced in one pass, so that an inserted name cannot be taken for a placeholder.
 */
const replaced = new RegExp(
  [
    '(?<folder>/etc/ssl/api)',
    '"host" => "127\\.0\\.0\\.1", "port" => 8080(?<lighttpd>)',
    '(?<behind>127\\.0\\.0\\.1:8080)',
    // Caddy and URLs write the port after the name.
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
    if (groups.subject !== undefined) return (form && server.subject[form]) ?? subjectPlaceholder;
    if (groups.site !== undefined) return server.port === port ? server.host : `${server.host}:${server.port}`;
    return groups.host === undefined ? String(server.port) : server.host;
  });
}

/** With mod_ssl Apache listens on 443. Other ports need a Listen line. */
function withListen(language: string, text: string, server: CustomerServer): string {
  return language === 'apache' && server.port !== port ? `Listen ${server.port}\n\n${text}` : text;
}

interface ServerFile {
  readonly name: string;
  /** The opening comment: what the file needs, and where it goes. FOLDER is `CustomerServer.folder`. */
  readonly opening: string;
  /** The form of the subject that the server compares; absent if it compares none. */
  readonly subject?: keyof SubjectForms;
}

const files = 'FOLDER/server.pem, FOLDER/server.key and FOLDER/platform-root.pem';

/** By the language of the code block in docs/customers.md. `sh` blocks are commands and stay on the page. */
const serverFiles: Readonly<Record<string, ServerFile>> = {
  nginx: {
    name: 'nginx.conf',
    opening: `# Goes to /etc/nginx/conf.d/, inside http { }. Needs ${files}.`,
    subject: 'rfc2253',
  },
  apache: {
    name: 'apache.conf',
    opening: `# Goes to the sites of Apache httpd. Needs mod_ssl, mod_headers and mod_proxy_http (a2enmod ssl headers proxy_http), and ${files}.`,
    subject: 'rfc2253',
  },
  haproxy: {
    name: 'haproxy.cfg',
    opening:
      '# Goes to the end of /etc/haproxy/haproxy.cfg. Needs FOLDER/server-and-key.pem (server.pem and server.key in one file) and FOLDER/platform-root.pem.',
    subject: 'slashes',
  },
  caddy: { name: 'Caddyfile', opening: `# Goes to /etc/caddy/Caddyfile. Needs ${files}.`, subject: 'go' },
  stunnel: {
    name: 'stunnel.conf',
    opening: `; Goes to /etc/stunnel/. Needs ${files}. Compares no subject, and lets an X-Client-Subject through that a caller made up.`,
  },
  lighttpd: {
    name: 'lighttpd.conf',
    opening: `# Goes to /etc/lighttpd/conf-enabled/. Needs mod_openssl, and ${files}.`,
    subject: 'commonName',
  },
  xml: {
    name: 'tomcat-connector.xml',
    opening:
      '<!-- Goes into the Service of conf/server.xml. Needs FOLDER/server.pem, FOLDER/server.key and FOLDER/clients.p12, which for-your-server.md makes. -->',
  },
  java: {
    name: 'Api.java',
    opening:
      '// An example to start from. Needs FOLDER/server.p12 and FOLDER/clients.p12, which for-your-server.md makes; it has the line that starts this, too.',
    subject: 'rfc2253',
  },
  go: { name: 'api.go', opening: `// An example to start from: go run api.go. Needs ${files}.`, subject: 'go' },
  js: { name: 'api.mjs', opening: `// An example to start from: node api.mjs. Needs ${files}.`, subject: 'lines' },
  openssl: {
    name: 'try-openssl.sh',
    opening: `#!/bin/sh\n# To try it without an API. Needs OpenSSL, ${files}, and FOLDER/intermediates.pem.`,
  },
  gnutls: {
    name: 'try-gnutls.sh',
    opening: `#!/bin/sh\n# To try it without an API. Needs gnutls-serv (package gnutls-bin), and ${files}.`,
  },
};

/**
 * The subject as each server writes it. Undefined if servers differ in how they write one of its characters or types.
 */
export interface SubjectForms {
  /** RFC 2253, most specific first: nginx, Apache httpd, Java. */
  readonly rfc2253: string | undefined;
  /** In the order of the certificate, separated by slashes: HAProxy. */
  readonly slashes: string | undefined;
  /** Go's `pkix.Name.String`: Go, Caddy. */
  readonly go: string | undefined;
  /** In the order of the certificate, as a JavaScript string: Node. */
  readonly lines: string | undefined;
  /** Only the common name: lighttpd. */
  readonly commonName: string | undefined;
}

/**
 * Go's order. The position of L and ST differs between versions (before C in Go 1.19), and other types are written as
 * numbers.
 */
const goOrder = ['CN', 'OU', 'O', 'C'];
const plainPart = /^(CN|O|OU|L|ST|C|DC)=[A-Za-z0-9]([A-Za-z0-9 ._:@()-]*[A-Za-z0-9.)])?$/;

export function subjectForms({ raw }: X509Certificate): SubjectForms {
  const subject = readCertificateFields(raw)?.subject;
  const names = (subject && readRelativeNames(subject)) ?? [];
  // Servers disagree on how to write two attributes in one part.
  const parts = names.map((part) => part.map((one) => `${attributeName(one)}=${one.text ?? ''}`).join('+'));
  const isPlain = parts.length > 0 && parts.every((part) => plainPart.test(part));
  const types = names.flat().map(attributeName);
  const place = (part: string) => goOrder.indexOf(part.slice(0, part.indexOf('=')));
  // Go joins two attributes of one type.
  const isGo = isPlain && types.every((type) => goOrder.includes(type)) && new Set(types).size === types.length;
  const commonNames = parts.flatMap((part) => /^CN=([\w.-]+)$/.exec(part)?.[1] ?? []);
  return {
    rfc2253: isPlain ? parts.toReversed().join(',') : undefined,
    slashes: isPlain ? `/${parts.join('/')}` : undefined,
    go: isGo ? parts.toSorted((a, b) => place(a) - place(b)).join(',') : undefined,
    lines: isPlain ? parts.join('\\n') : undefined,
    commonName: isPlain && types.filter((type) => type === 'CN').length === 1 ? commonNames[0] : undefined,
  };
}
