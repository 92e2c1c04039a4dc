// Recognises the pages with which web servers refuse a client certificate in HTTP, after a complete handshake.
import type { ClientCertificateUse } from '../tls/client-flight.ts';

/** The statuses such pages have; 495 and 496 are nginx's own, seen where an error_page keeps them. */
const statuses = new Set([400, 401, 403, 495, 496]);

/** Bytes that any of the pages needs to name its reason. */
const windowBytes = 4096;

const trustUs =
  'the customer must trust the root of the platform and accept its intermediates; GET /v1/identities/{identity}/certificate has both.';

/** What a page says about the client certificate. */
export type PageKind = 'untrusted' | 'expired-or-revoked' | 'denied' | 'wanted-after-handshake' | 'none-received';

export interface RefusalPage {
  readonly kind: PageKind;
  readonly advice: string;
}

/**
 * The first match wins. Each pattern takes linear time: it is anchored at the start, or its repetitions are bounded.
 * Each is the server's own wording from its source or as measured; those of IIS, Kong and Azure are from documentation
 * only. An API's own words about certificates do not count.
 *
 * - IIS: "HTTP 1.0, HTTP 1.1: the HTTP status code in IIS 7 and later" (learn.microsoft.com), the custom pages of IIS
 *   5 to 10 (inetpub/custerr) and KB 294305, KB 248075.
 * - Kong: kong.conf and the mtls-auth plugin (developer.konghq.com), whole bodies in JSON.
 * - Azure Application Gateway: nginx's pages under its own name, as others show them; each refusal is a 400, its
 *   manual says (mutual-authentication-troubleshooting).
 * - AWS's load balancer verifies in the handshake, and Google's closes the connection ("Logged errors for closed
 *   connections"); API Gateway (`{"message":"Forbidden"}`, 403) and Cloudflare (the page of the rule that blocked,
 *   403) do not say that the certificate is the reason.
 */
export const refusalPages: readonly (RefusalPage & { readonly pattern: RegExp })[] = [
  {
    kind: 'untrusted',
    // nginx ngx_http_special_response.c (495), Kong's mtls-auth, IIS 403.16.
    pattern:
      /<(?:title|center|h1)>(?:\d{3} )?The SSL certificate error<|^\s*\{"message":\s*"TLS certificate failed verification"[^{}]*\}\s*$|403[.]16\b.{0,60}client certificate is (?:either not trusted|untrusted|ill-formed|invalid)|Your client certificate is either not trusted or is invalid/is,
    advice: `The API server completed the handshake and then refused the client certificate (step 5). A diagnosis shows the authorities that it accepts. If the issuer is not one of them, ${trustUs} If it is, the customer must look up the reason in its log.`,
  },
  {
    // IIS 403.17 and 403.13; the latter too when the list cannot be had (KB 294305).
    kind: 'expired-or-revoked',
    pattern:
      /403[.]1[37]\b.{0,60}client certificate (?:has expired|is expired|was revoked|has been revoked|revoked)|Your client certificate (?:has expired|was revoked)/is,
    advice:
      'The API server says that the client certificate has expired or was revoked (step 5): the platform must rotate the identity, and the customer must check the clock of the server.',
  },
  {
    // IIS 403.12.
    kind: 'denied',
    pattern:
      /403[.]12\b.{0,60}(?:denied access by the server certificate mapper|mapper denied access)|to which your client certificate is mapped on the web server has been denied/is,
    advice:
      'The API server knows the client certificate but grants it no access (step 5): the customer must map its subject to an account that may use the API.',
  },
  {
    kind: 'wanted-after-handshake',
    // Apache ssl_engine_kernel.c: SSLVerifyClient on a location, under TLS 1.3.
    pattern: /Cannot perform Post-Handshake Authentication/i,
    advice:
      'The API server asks for the client certificate only after the handshake, which TLS 1.3 clients need not support: the customer must ask for it for the whole virtual host (Apache: SSLVerifyClient outside Location), or the platform must set maxTlsVersion of the destination to TLSv1.2.',
  },
  {
    // nginx (496), Kong, IIS 403.7, Tomcat's and JBoss's SSLAuthenticator.
    kind: 'none-received',
    pattern:
      /requires your browser to have a .{0,40}client certificate|<(?:title|center|h1)>(?:\d{3} )?No required SSL certificate was sent<|^\s*\{"message":\s*"No required TLS certificate was sent"[^{}]*\}\s*$|<[^<>]{1,200}>[^<]{0,60}No client certificate chain in this request|403[.]7\b.{0,60}client certificate (?:is )?required|403 - Forbidden: SSL client certificate is required/is,
    advice: `The API server says that it received no client certificate (step 4 or 5). Either it did not ask for one under this name, or it does not know the issuers. The customer must request it in the virtual host that answers, and ${trustUs}`,
  },
];

/**
 * `bodyStart` is the decoded body, or its start; the result contains no part of it. An unknown page proves nothing: a
 * 403 has many reasons.
 */
export function refusalPage(status: number, bodyStart: Buffer): RefusalPage | undefined {
  if (!statuses.has(status)) return undefined;
  const text = bodyStart.toString('latin1', 0, windowBytes);
  return refusalPages.find(({ pattern }) => pattern.test(text));
}

const unprovenEnd =
  'The API ended its response by closing the connection only, so the body may be incomplete: the caller must check it, and the customer should send a Content-Length or chunks.';

const misdirected =
  'The API server serves another site on this connection (HTTP 421), so the response says nothing about the client certificate: the platform must set the serverName of the destination to the name of the API, or the customer must serve the name that was sent.';

/** By what is known of the request for a certificate, for an answer without one. */
function notPresented(requested: ClientCertificateUse['requested']): string {
  if (requested === true) {
    return 'The API server asked for a client certificate but accepts no signature algorithm of the identity’s key, so none was presented: the customer must accept one.';
  }
  const why =
    requested === false
      ? 'The API server did not ask for a client certificate, so none was presented'
      : 'No client certificate was presented: the API server did not ask for one, or accepts no signature algorithm of the identity’s key';
  return `${why}. If the API requires mutual TLS, the customer must request the certificate for this server name and port.`;
}

/** What Apache keeps of a request while it renegotiates (mod_ssl: SSLRenegBufferSize). A larger body gets 413. */
const renegotiationBytes = 128 * 1024;

const tooLargeToRenegotiate =
  'The API refused a request of more than 128 KB before it asked for the client certificate. If it asks in a renegotiation (Apache: SSLVerifyClient in a Location), the customer must ask for the whole virtual host, or raise SSLRenegBufferSize.';

/** The response to a call and how it came. */
export interface AdvisedResponse {
  readonly status: number;
  /** The decoded body, or its start. */
  readonly body: Buffer;
  /** See collectBody. */
  readonly endIsUnproven: boolean;
  /** Whether the server has asked for a client certificate. */
  readonly asked: boolean;
  /** TLS 1.3 has no renegotiation. */
  readonly protocol: string;
  readonly requestBytes: number;
  /** Absent: nothing is said about the certificate. */
  readonly client?: ClientCertificateUse;
}

/** Advice for the caller, or undefined. The page of a refusal says more than the handshake. */
export function adviceFor(response: AdvisedResponse): string | undefined {
  const { status, body, endIsUnproven, asked, protocol, requestBytes, client } = response;
  if (status === 421) return misdirected;
  const page = refusalPage(status, body);
  if (page) return page.advice;
  if (status === 413 && !asked && protocol === 'TLSv1.2' && requestBytes > renegotiationBytes) {
    return tooLargeToRenegotiate;
  }
  // Most responses.
  if (client?.presented !== false && !endIsUnproven) return undefined;
  const parts = [client?.presented === false && notPresented(client.requested), endIsUnproven && unprovenEnd];
  return parts.filter(Boolean).join(' ') || undefined;
}
