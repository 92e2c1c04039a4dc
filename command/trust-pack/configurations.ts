// The configurations of docs/customers.md for one customer's server: its name, its port, its folder and what answers behind it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unavailable } from '../exit-code.ts';

export interface CustomerServer {
  readonly host: string;
  readonly port: number;
  /** Where the customer puts the files of the pack and of its own certificate. */
  readonly folder: string;
  /** What answers behind the server in plain HTTP. */
  readonly behind: { readonly host: string; readonly port: number };
}

const page = join(import.meta.dirname, '../../docs/customers.md');

/** File names by the language of the block; `sh` blocks are lines to type, and stay on the page. */
const fileNames: Readonly<Record<string, string>> = {
  nginx: 'nginx.conf',
  apache: 'apache.conf',
  haproxy: 'haproxy.cfg',
  caddy: 'Caddyfile',
  stunnel: 'stunnel.conf',
  lighttpd: 'lighttpd.conf',
  xml: 'tomcat-connector.xml',
  java: 'Api.java',
  go: 'api.go',
  js: 'api.mjs',
  openssl: 'try-openssl.sh',
  gnutls: 'try-gnutls.sh',
};

/** A file for each server, and the page itself without its links, which lead to pages that the customer does not have. */
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
    const name = fileNames[language];
    return name === undefined ? [] : [[name, withListen(name, localized(block, server), server)] as const];
  });
  const whole = text.replace(/\[([^\]]+)\]\([^)\s]+\)/g, '$1');
  return [...files, ['for-your-server.md', localized(whole, server)]];
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
    `\\b(?<port>${port})\\b`,
  ].join('|'),
  'gm',
);

function localized(text: string, server: CustomerServer): string {
  const behind = `${server.behind.host}:${server.behind.port}`;
  return text.replace(replaced, (...found: unknown[]) => {
    const groups = found.at(-1) as Record<string, string | undefined>;
    if (groups.folder !== undefined) return server.folder;
    if (groups.lighttpd !== undefined) return `"host" => "${server.behind.host}", "port" => ${server.behind.port}`;
    if (groups.behind !== undefined) return behind;
    if (groups.site !== undefined) return server.port === port ? server.host : `${server.host}:${server.port}`;
    return groups.host === undefined ? String(server.port) : server.host;
  });
}

/** Apache listens on 443 by itself where mod_ssl is there, and on other ports only where it is told to. */
function withListen(name: string, text: string, server: CustomerServer): string {
  return name === 'apache.conf' && server.port !== port ? `Listen ${server.port}\n\n${text}` : text;
}
