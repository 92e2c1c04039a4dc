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
    return name === undefined ? [] : [[name, localized(block, server)] as const];
  });
  const whole = text.replace(/\[([^\]]+)\]\([^)\s]+\)/g, '$1');
  return [...files, ['for-your-server.md', localized(whole, server)]];
}

/** `:` and a port are what Caddy and a URL need where it is not 443; everywhere else the number stands alone. */
function localized(text: string, { host, port, folder, behind }: CustomerServer): string {
  return text
    .replaceAll('/etc/ssl/api', folder)
    .replaceAll('"host" => "127.0.0.1", "port" => 8080', `"host" => "${behind.host}", "port" => ${behind.port}`)
    .replaceAll('127.0.0.1:8080', `${behind.host}:${behind.port}`)
    .replaceAll(/^api\.acme\.example \{/gm, port === 443 ? `${host} {` : `${host}:${port} {`)
    .replaceAll('api.acme.example', host)
    .replaceAll(/\b443\b/g, String(port));
}
