// Keeps web pages away from a server on loopback, where every browser of the machine is as well.
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackHeader } from './loopback.ts';

/**
 * A page may reach a loopback port by its own name, once that resolves to 127.0.0.1 (DNS rebinding: Host gives it
 * away), or by a cross-origin request (Origin and Sec-Fetch-Site give it away). Neither is a caller of this API.
 * @param who answers, for the sentence
 * @returns why the request is refused, one sentence, or undefined
 */
export function refusal(headers: IncomingHttpHeaders, who: string): string | undefined {
  if (!isLoopbackHeader(headers.host ?? '')) return `Forbidden: ${who} answers only requests for localhost.`;
  return refusalOfPage(headers, 'http', who);
}

/** The second half alone, for a server that is reached by a name of its own: a browser may hold a certificate that it accepts. */
export function refusalOfPage(headers: IncomingHttpHeaders, scheme: 'http' | 'https', who: string): string | undefined {
  if (headers.origin !== undefined && headers.origin !== `${scheme}://${headers.host ?? ''}`) {
    return `Forbidden: ${who} answers no page of another origin.`;
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return `Forbidden: ${who} answers no page of another site.`;
  }
  return undefined;
}
