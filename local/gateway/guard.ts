// Keeps web pages away from the gateway: it listens on loopback, but so does every browser on the machine.
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackHeader } from '../loopback.ts';

/**
 * A page may reach a loopback port by its own name, once that resolves to 127.0.0.1 (DNS rebinding: Host gives it
 * away), or by a cross-origin request (Origin and Sec-Fetch-Site give it away). Neither is a caller of this API.
 * @returns why the request is refused, one sentence, or undefined
 */
export function refusal(headers: IncomingHttpHeaders): string | undefined {
  const host = headers.host ?? '';
  if (!isLoopbackHeader(host)) return 'Forbidden: the local gateway answers only requests for localhost.';
  if (headers.origin !== undefined && headers.origin !== `http://${host}`) {
    return 'Forbidden: the local gateway answers no page of another origin.';
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return 'Forbidden: the local gateway answers no page of another site.';
  }
  return undefined;
}
