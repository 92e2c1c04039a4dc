// The files in `servers/` of a trust pack: their names, and the comment that each begins with.
import type { SubjectForms } from './subject-forms.ts';

export interface ServerFile {
  readonly name: string;
  /** What it needs, and where it goes; FOLDER stands for where the customer's certificates are. */
  readonly opening: string;
  /** Which form of the subject it compares; absent where it compares none. */
  readonly subject?: keyof SubjectForms;
}

const files = 'FOLDER/server.pem, FOLDER/server.key and FOLDER/platform-root.pem';

/** By the language of the block on docs/customers.md; `sh` blocks are lines to type, and stay on the page. */
export const serverFiles: Readonly<Record<string, ServerFile>> = {
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
