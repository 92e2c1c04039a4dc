// Loopback names and addresses, and the guard that keeps web pages away from a server on loopback.
import type { IncomingHttpHeaders } from 'node:http';

/** @param host an address to listen on: `localhost`, or an IP address without brackets */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
}

/**
 * Browsers resolve names below `localhost` to loopback (RFC 6761, section 6.3). They are not valid to listen on,
 * because other resolvers can return any address.
 * @param header a Host header: a name or an address, with or without a port
 */
export function isLoopbackHeader(header: string): boolean {
  const name = header
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
  return name === '[::1]' || name.endsWith('.localhost') || (name !== '::1' && isLoopback(name));
}

/**
 * For a server on loopback. A page can reach it through its own name, once that resolves to 127.0.0.1 (DNS rebinding;
 * visible in Host), or by a cross-origin request (visible in Origin and Sec-Fetch-Site).
 * @param server for the error
 * @returns one sentence, or undefined if the request is allowed
 */
export function loopbackRequestError(headers: IncomingHttpHeaders, server: string): string | undefined {
  if (!isLoopbackHeader(headers.host ?? '')) return `Forbidden: ${server} answers only requests for localhost.`;
  return crossOriginError(headers, 'http', server);
}

/** For a server with its own host name: a browser may have a client certificate that the server accepts. */
export function crossOriginError(
  headers: IncomingHttpHeaders,
  scheme: 'http' | 'https',
  server: string,
): string | undefined {
  if (headers.origin !== undefined && headers.origin !== `${scheme}://${headers.host ?? ''}`) {
    return `Forbidden: ${server} rejects requests from another origin.`;
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return `Forbidden: ${server} rejects requests from another site.`;
  }
  return undefined;
}
