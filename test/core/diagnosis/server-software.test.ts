// Which server answered: each by what it really sends, and none where nothing is known.
import { describe, expect, it } from 'vitest';
import { type Software, softwareNames, softwareOf } from '../../../core/diagnosis/server-software.ts';

type Sample = readonly [name: string, known: Software | undefined, headers: Record<string, string>, body?: string];

/**
 * Of the servers of the matrix as they answered there (docs/servers.md has the versions); of the others as their
 * manuals say.
 */
const samples: readonly Sample[] = [
  ['nginx', 'nginx', { server: 'nginx/1.22.1' }],
  ['nginx, its name cut off by a proxy', 'nginx', {}, '<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n'],
  // openresty: the same page under its own name.
  ['OpenResty', 'nginx', { server: 'openresty/1.25.3.1' }],
  ['Apache httpd', 'apache', { server: 'Apache/2.4.71 (Debian)' }],
  // ServerTokens Prod, ServerSignature On.
  ['Apache httpd, terse', 'apache', { server: 'Apache' }],
  ['Apache httpd, its page', 'apache', {}, '<address>Apache/2.4.71 (Debian) Server at localhost Port 443</address>'],
  ['Caddy', 'caddy', { server: 'Caddy' }],
  ['lighttpd', 'lighttpd', { server: 'lighttpd/1.4.69' }],
  // No Server header since 8.5; its error page (ErrorReportValve) names it, unless showServerInfo is off.
  ['Tomcat', 'tomcat', {}, '<hr class="line" /><h3>Apache Tomcat/10.1.60 (Debian)</h3></body></html>'],
  ['Tomcat 7', 'tomcat', { server: 'Apache-Coyote/1.1' }],
  ['HAProxy', undefined, {}, '<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>\n'],
  ['GnuTLS, Java, Go, Node', undefined, {}, 'granted\n'],
  // learn.microsoft.com, HTTP.sys and IIS: removeServerHeader.
  ['IIS', 'iis', { server: 'Microsoft-IIS/10.0' }],
  ['http.sys', 'iis', { server: 'Microsoft-HTTPAPI/2.0' }],
  // envoyproxy.io, HttpConnectionManager.server_name: "envoy" where nothing else is set; Istio's gateway sets
  // istio-envoy.
  ['Envoy', 'envoy', { server: 'envoy', 'x-envoy-upstream-service-time': '3' }],
  ['Istio', 'envoy', { server: 'istio-envoy' }],
  // AWS, load balancer attribute routing.http.response.server.enabled.
  ['ALB', 'alb', { server: 'awselb/2.0' }],
  // AWS: apigw-requestid of HTTP APIs, x-amz-apigw-id of REST APIs.
  ['API Gateway, HTTP', 'apigateway', { 'apigw-requestid': 'a1B2c3=' }, '{"message":"Forbidden"}'],
  ['API Gateway, REST', 'apigateway', { 'x-amz-apigw-id': 'a1B2c3=', 'x-amzn-errortype': 'ForbiddenException' }],
  // developers.cloudflare.com, HTTP headers.
  ['Cloudflare', 'cloudflare', { server: 'cloudflare', 'cf-ray': '230b030023ae2822-SJC' }],
  // Its 400 for a client without a certificate is nginx's with its own name at the end.
  ['Azure', 'azure', { server: 'Microsoft-Azure-Application-Gateway/v2' }],
  // cloud.google.com, load balancing: "Via: 1.1 google" on answers of backends and its own.
  ['Google', 'google', { via: '1.1 google' }, ''],
  ['Google before nginx', 'google', { server: 'nginx/1.22.1', via: '1.1 google' }],
  ['an API that calls itself something', undefined, { server: 'my-apache-like-thing/1.0' }],
  ['an API behind a proxy of that name', undefined, { via: '1.1 googlesque' }],
];

describe('the software of a server is recognized by its response', () => {
  it.each(samples.map(([name, ...sample]) => [name, sample] as const))('%s', (_name, [known, headers, body = '']) => {
    expect(softwareOf({ status: 400, headers, bodyStart: Buffer.from(body) })).toBe(known);
  });

  it('every known server is in the table, and without a response no software is reported', () => {
    const known = new Set(samples.flatMap(([, name]) => name ?? []));
    expect([...known].sort()).toEqual(Object.keys(softwareNames).sort());
    expect(softwareOf(undefined)).toBeUndefined();
  });
});
