// Rejects requests that a web page makes: every browser of the machine can reach a server on loopback.
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackHeader } from './loopback.ts';

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
