// Which server answered, as far as its answer tells: its own headers and pages, never its address or its habits.
// HAProxy, stunnel, Node, Java and Go put no name of theirs into an answer.
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

/** In this order: what stands in front comes before what it may have passed on. */
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
  // It adds itself to whatever answers behind it.
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
