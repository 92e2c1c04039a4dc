// Identifies the server software by its HTTP answer, and has the configuration lines for each.
import type { ProbeAnswer } from './observation.ts';

export const softwareNames = {
  nginx: 'nginx',
  apache: 'Apache httpd',
  caddy: 'Caddy',
  tomcat: 'Apache Tomcat',
  iis: 'Microsoft IIS',
  lighttpd: 'lighttpd',
  alb: 'AWS Application Load Balancer',
  apigateway: 'Amazon API Gateway',
  azure: 'Azure Application Gateway',
  cloudflare: 'Cloudflare',
  envoy: 'Envoy',
  google: 'Google Cloud Load Balancing',
} as const;

export type Software = keyof typeof softwareNames;

/** In this order: a proxy comes before the server behind it. */
const servers: readonly (readonly [RegExp, Software])[] = [
  [/^awselb\//i, 'alb'],
  [/^cloudflare/i, 'cloudflare'],
  [/^Microsoft-Azure-Application-Gateway/i, 'azure'],
  [/^Microsoft-(IIS|HTTPAPI)\//i, 'iis'],
  [/^(nginx|openresty)/i, 'nginx'],
  [/^Apache-Coyote/i, 'tomcat'],
  [/^Apache(\/|$| )/i, 'apache'],
  [/^Caddy/i, 'caddy'],
  [/^lighttpd/i, 'lighttpd'],
  [/^(istio-)?envoy/i, 'envoy'],
];

export function softwareOf(answer: ProbeAnswer | undefined): Software | undefined {
  if (!answer) return undefined;
  const { headers, bodyStart } = answer;
  if ('apigw-requestid' in headers || 'x-amz-apigw-id' in headers) return 'apigateway';
  // It adds itself to the answer of the server behind it.
  if (/(^|, )1\.1 google$/.test(String(headers.via ?? ''))) return 'google';
  const server = String(headers.server ?? '');
  const known = servers.find(([pattern]) => pattern.test(server))?.[1];
  if (known) return known;
  const page = bodyStart.toString('latin1', 0, 4096);
  if (/<h3>Apache Tomcat\//.test(page)) return 'tomcat';
  if (/<hr><center>(nginx|openresty)/.test(page)) return 'nginx';
  if (/<address>Apache\//.test(page)) return 'apache';
  return undefined;
}

/** Only for servers that answered in HTTP: a server that ended the handshake is not identified. */
export type Task =
  /** Demand client certificates, and trust the platform's root for them. */
  | 'trust-clients'
  /** Serve the whole chain. */
  | 'serve-chain'
  /** Ask for the client certificate in the handshake, not later. */
  | 'ask-in-handshake';

export interface Directive {
  /**
   * Each as it stands in the configuration of that server in docs/customers.md, or in what the page has from its
   * manual.
   */
  readonly lines: readonly string[];
  /** Where in the configuration. */
  readonly place?: string;
  /** In the place of the last line, for later versions. */
  readonly later?: string;
}

export const directives: Readonly<Record<Task, Readonly<Partial<Record<Software, Directive>>>>> = {
  'trust-clients': {
    nginx: {
      lines: ['ssl_client_certificate /etc/ssl/api/platform-root.pem;', 'ssl_verify_client on;', 'ssl_verify_depth 3;'],
    },
    apache: {
      lines: ['SSLCACertificateFile /etc/ssl/api/platform-root.pem', 'SSLVerifyClient require', 'SSLVerifyDepth 3'],
      place: 'VirtualHost',
    },
    caddy: {
      lines: ['mode require_and_verify', 'trusted_ca_cert_file /etc/ssl/api/platform-root.pem'],
      place: 'client_auth',
      later: 'trust_pool file /etc/ssl/api/platform-root.pem',
    },
    lighttpd: {
      lines: [
        'ssl.verifyclient.activate = "enable"',
        'ssl.verifyclient.enforce = "enable"',
        'ssl.verifyclient.depth = 3',
        'ssl.verifyclient.ca-file = "/etc/ssl/api/platform-root.pem"',
      ],
    },
    // caCertificateFile is read by its OpenSSL alone; with Java's TLS every client is refused.
    tomcat: {
      lines: [
        'certificateVerification="required"',
        'truststoreFile="/etc/ssl/api/clients.p12" truststorePassword="changeit" truststoreType="PKCS12"',
      ],
      place: 'SSLHostConfig',
    },
    iis: {
      lines: [
        'the root into *Trusted Root Certification Authorities* of the computer',
        'client certificates *Require*',
        'netsh http add sslcert … clientcertnegotiation=enable',
      ],
    },
    alb: { lines: ['a trust store with the root in it', 'mutual authentication in mode *verify with trust store*'] },
    apigateway: {
      lines: ['the root and the intermediates in one truststore file in S3', 'mutual TLS on a custom domain name'],
    },
    azure: { lines: ['the root and the intermediates in one file, in the SSL profile of the listener'] },
    cloudflare: { lines: ['the root as a certificate authority of your own, associated with the host name'] },
    envoy: {
      lines: [
        'require_client_certificate: true',
        'validation_context: { trusted_ca: { filename: /etc/ssl/api/platform-root.pem } }',
      ],
      place: 'DownstreamTlsContext',
    },
    google: { lines: ['a trust config with the root in it', 'client validation mode REJECT_INVALID'] },
  },
  'serve-chain': {
    nginx: { lines: ['ssl_certificate /etc/ssl/api/server.pem;'] },
    apache: { lines: ['SSLCertificateFile /etc/ssl/api/server.pem'], place: 'VirtualHost' },
    caddy: { lines: ['tls /etc/ssl/api/server.pem /etc/ssl/api/server.key'] },
    lighttpd: { lines: ['ssl.pemfile = "/etc/ssl/api/server.pem"'] },
    tomcat: { lines: ['certificateFile="/etc/ssl/api/server.pem"'], place: 'Certificate' },
  },
  'ask-in-handshake': {
    apache: { lines: ['SSLVerifyClient require'], place: 'VirtualHost, outside of Location and Directory' },
  },
};

export function directiveFor(task: Task, software: Software): string | undefined {
  const directive = directives[task][software];
  if (!directive) return undefined;
  const { lines, place, later } = directive;
  // The page sets what is a name in a window in italics.
  const joined = lines.join(lines[0]?.endsWith(';') ? ' ' : ', ').replaceAll('*', '');
  return `${place ? `in ${place}: ` : ''}${joined}${later ? ` (later versions: ${later})` : ''}`;
}
