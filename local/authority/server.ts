// The platform's authority on loopback: signs certificate requests over HTTP.
import { createHash, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { BoundedMap } from '../../core/bounded-map.ts';
import { collectBytes } from '../../core/byte-collector.ts';
import { readCertificateRequest } from '../../core/x509/certificate.ts';
import { closeServer, listen, urlOf } from '../../listener/listen.ts';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import type { Authority } from './authority.ts';

export interface AuthorityServerOptions {
  /** Signs the requests: `platform` of the demo's authorities. */
  readonly authority: Authority;
  /** 0 for any free one; always on 127.0.0.1. */
  readonly port: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface AuthorityServer {
  /** For `renewal.issuer.url` of the kind `local`. */
  readonly url: string;
  /** Certificates signed since it started. */
  readonly signed: number;
  close(): Promise<void>;
}

const path = '/certificates';
const mostBodyBytes = 65_536;
const mostDays = 3_650;
const mostRemembered = 1_000;
/** For a request in progress while closing. */
const answerMs = 2_000;
const day = 86_400_000;
/** Certificates are backdated because clocks differ; AWS Private CA does the same. */
const datedBackMs = 3_600_000;

interface Refusal {
  readonly status: number;
  readonly sentence: string;
}

/**
 * `POST /certificates?days=90` with a PEM request (PKCS#10) as body answers 201 with PEM: the certificate for clients
 * with the subject, subject alternative names and key of the request, its intermediates, the root. The same
 * `idempotency-key` with the same request returns the same certificate. Callers are not authenticated, so it listens on
 * loopback and rejects web pages. Throws a one-sentence Error if the port is taken.
 */
export async function startAuthority(options: AuthorityServerOptions): Promise<AuthorityServer> {
  const { authority, port, now = Date.now } = options;
  const remembered = new BoundedMap<string, { readonly digest: string; readonly certificates: string }>({
    maxEntries: mostRemembered,
  });
  let signed = 0;

  function sign(request: IncomingMessage, text: string): string | Refusal {
    const days = Number(new URL(request.url ?? '', 'http://localhost').searchParams.get('days') ?? 90);
    if (!Number.isInteger(days) || days < 1 || days > mostDays) {
      return refusal(400, `days must be a whole number from 1 to ${mostDays}.`);
    }
    const asked = readCertificateRequest(text);
    if (!asked) return refusal(400, 'The body must be one PEM certificate request with an RSA or EC key.');
    if (!asked.isSigned) return refusal(422, 'The request is not signed with the key that is in it.');
    const notAfter = new Date(now() + days * day);
    if (notAfter > new X509Certificate(authority.certificate).validToDate) {
      return refusal(422, 'The authority ends before that certificate would.');
    }
    const { subject, publicKey, alternativeNames } = asked;
    const notBefore = new Date(now() - datedBackMs);
    const chain = authority.certify({ subject, publicKey, alternativeNames, usage: 'client', notBefore, notAfter });
    signed += 1;
    return chain.certificate + chain.intermediates + chain.root;
  }

  function signOnce(request: IncomingMessage, text: string): string | Refusal {
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') return sign(request, text);
    const digest = createHash('sha256').update(text).digest('base64');
    const before = remembered.get(key);
    if (before) return before.digest === digest ? before.certificates : refusal(409, 'That key was another request.');
    const certificates = sign(request, text);
    if (typeof certificates !== 'string') return certificates;
    remembered.set(key, { digest, certificates });
    return certificates;
  }

  const server = createServer(async (request, response) => {
    try {
      const refused = refusalOf(request);
      const text = refused ?? (await readBody(request));
      const answer = typeof text === 'string' ? signOnce(request, text) : text;
      if (typeof answer === 'string') write(response, 201, 'application/x-pem-file', answer);
      else write(response, answer.status, 'text/plain; charset=utf-8', `${answer.sentence}\n`);
    } catch {
      // The body was cut off, or the request cannot be parsed.
      if (!response.headersSent) write(response, 400, 'text/plain; charset=utf-8', 'The request cannot be read.\n');
    }
  });
  server.requestTimeout = 10_000;
  const at = await listen(server, { port, what: 'the authority', option: '--authority-port' });
  return {
    url: `${urlOf('127.0.0.1', at)}${path}`,
    get signed() {
      return signed;
    },
    close: () => closeServer(server, answerMs),
  };
}

/** Rejects web pages by Host, Origin and Sec-Fetch-Site, as the local Secrets Manager does. */
function refusalOf({ headers, method, url }: IncomingMessage): Refusal | undefined {
  if (!isLoopbackHeader(headers.host ?? '')) return refusal(403, 'Only requests to a loopback name are answered.');
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
    return refusal(403, 'No request of a web page is answered.');
  }
  if (url?.split('?')[0] !== path) return refusal(404, `The only path here is ${path}.`);
  return method === 'POST' ? undefined : refusal(405, 'The only method here is POST.');
}

async function readBody(request: IncomingMessage): Promise<string | Refusal> {
  const body = await collectBytes(request, mostBodyBytes);
  return body === undefined ? refusal(413, `A request has ${mostBodyBytes} bytes at most.`) : body.toString();
}

function refusal(status: number, sentence: string): Refusal {
  return { status, sentence };
}

function write(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), connection: 'close' });
  response.end(body);
}
