// An EST server as the issuer (RFC 7030): enrolment with a password, renewal over mutual TLS with the current
// certificate.
import { setTimeout as wait } from 'node:timers/promises';
import { CountersignError } from '../errors.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { settingUnusable } from '../identity/unusable.ts';
import { hasSameNames } from '../x509/certificate.ts';
import { readOnlyBer } from '../x509/der.ts';
import { canonicalBytes, decodeBase64, readPkcs7, writePem } from '../x509/pem.ts';
import { type ExchangeLimits, exchange, type IssuerAnswer, type IssuerRequest, issuerServer } from './https-client.ts';
import { mayBeClientCertificate, statusFailure } from './https-errors.ts';
import type { Issuer, SigningOrder } from './issuer.ts';
import { currentNames, requestedNames } from './issuer.ts';
import { certificatesIn, malformedResponse } from './issuer-response.ts';

type EstSettings = Extract<IssuerSettings, { kind: 'est' }>;
type Operation = 'cacerts' | 'simpleenroll' | 'simplereenroll';
type Credentials = Pick<IssuerRequest, 'client'> & { readonly authorization?: string };
type Ask = (operation: Operation, credentials?: Credentials, body?: string) => Promise<IssuerAnswer>;

export interface EstOptions extends Partial<ExchangeLimits> {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds; a `202` with a longer Retry-After ends the order at once. Default 60,000. */
  readonly maxWaitMs?: number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const maxRedirects = 3;

/** Throws `renewal-unusable` for wrong settings. */
export function estIssuer(settings: EstSettings, options: EstOptions = {}): Issuer {
  const server = issuerServer(settings);
  const base = pathOf(server.url, settings.label);
  const authorization = basicOf(settings);
  const limits = { requestTimeoutMs: options.requestTimeoutMs ?? 15_000 };

  return {
    async issue(order) {
      const ask: Ask = (operation, credentials, body) =>
        followed(server.url.origin, `${base}/${operation}`, (path) =>
          exchange(server, requestOf(path, credentials, body), order.signal, limits),
        );
      // First (section 2.1): without its authorities, an issued certificate would be useless.
      const authorities = certificatesOf((await authoritiesOf(order, ask)).body);
      const enrolled = await enrol(order, ask);
      return { certificates: certificatesOf(enrolled.body) + authorities };
    },
  };

  /** Section 4.1.2: needs no authentication; sent if the server requires it all the same. */
  async function authoritiesOf({ current }: SigningOrder, ask: Ask): Promise<IssuerAnswer> {
    try {
      return succeeded(await ask('cacerts'), 'cacerts');
    } catch (error) {
      const credentials = current ? { client: current } : authorization === undefined ? undefined : { authorization };
      if (credentials === undefined || !requiresAuthentication(error)) throw error;
      return succeeded(await ask('cacerts', credentials), 'cacerts');
    }
  }

  /** Section 4.2.2: a renewal keeps subject and alternative names; other names are a new enrolment. */
  async function enrol(order: SigningOrder, ask: Ask): Promise<IssuerAnswer> {
    const { current, certificateRequest } = order;
    const password = authorization === undefined ? {} : { authorization };
    const body = bodyOf(certificateRequest);
    if (!current) return answered(order, () => ask('simpleenroll', password, body), 'simpleenroll');
    if (!hasSameNames(currentNames(current), requestedNames(order))) {
      const both = { client: current, ...password };
      return answered(order, () => ask('simpleenroll', both, body), 'simpleenroll');
    }
    try {
      return await answered(order, () => ask('simplereenroll', { client: current }, body), 'simplereenroll');
    } catch (error) {
      if (authorization === undefined || !mayBeClientCertificate(error)) throw error;
    }
    return answered(order, () => ask('simpleenroll', password, body), 'simpleenroll');
  }

  /** Section 4.2.3: after a `202` the same request is sent again when Retry-After has passed. */
  async function answered(order: SigningOrder, ask: () => Promise<IssuerAnswer>, operation: Operation) {
    for (;;) {
      const answer = await ask();
      if (answer.status !== 202) return succeeded(answer, operation);
      const pause = retryAfterMs(answer.headers['retry-after'], (options.now ?? Date.now)());
      if (pause === undefined || pause > (options.maxWaitMs ?? 60_000)) throw signatureAwaited(pause);
      try {
        await (options.wait ?? waited)(pause, order.signal);
      } catch {
        throw signatureAwaited(pause);
      }
    }
  }
}

/** Servers use a status, an alert, or close the connection. */
function requiresAuthentication(error: unknown): boolean {
  if (!(error instanceof CountersignError)) return false;
  const { alert, reason } = error.evidence ?? {};
  return error.code === 'issuer-refused' || alert !== undefined || reason === 'ECONNRESET' || reason === 'EPIPE';
}

/** A server that answers 202 with 0 would be asked endlessly. */
const minWaitMs = 1_000;

async function waited(ms: number, signal: AbortSignal): Promise<void> {
  await wait(Math.max(ms, minWaitMs), undefined, { signal });
}

function signatureAwaited(pause: number | undefined): CountersignError {
  const seconds = pause === undefined ? undefined : Math.ceil(pause / 1000);
  return new CountersignError(
    'signature-awaited',
    'The issuer has accepted the certificate request and not signed it yet.',
    {
      evidence: { reason: 'http-202', ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) },
      hint: 'The operator of the EST server must approve the certificate request; the rotation sends the same one again.',
    },
  );
}

/** Only a 200 has a certificate (section 4.2.3). */
function succeeded(answer: IssuerAnswer, operation: Operation): IssuerAnswer {
  if (answer.status === 200) return answer;
  if (answer.status === 401 && offersDigestAlone(answer)) {
    throw new CountersignError('issuer-refused', `The issuer asks for HTTP Digest authentication for ${operation}.`, {
      evidence: { reason: 'http-401' },
      hint: 'The EST server must accept HTTP Basic authentication over TLS, or the certificate alone.',
    });
  }
  throw statusFailure(answer.status, operation);
}

function offersDigestAlone({ headers }: IssuerAnswer): boolean {
  const challenge = headers['www-authenticate'] ?? '';
  return /\bdigest\b/i.test(challenge) && !/\bbasic\b/i.test(challenge);
}

/**
 * Section 3.2.1: redirects to another origin need a user's consent, so only those within the origin are followed.
 * Method and body stay the same; 303 would change them and is not followed.
 */
async function followed(origin: string, path: string, ask: (path: string) => Promise<IssuerAnswer>) {
  let at = path;
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(at);
    const { location } = answer.headers;
    if (![301, 302, 307, 308].includes(answer.status) || location === undefined) return answer;
    const target = URL.canParse(location, origin + at) ? new URL(location, origin + at) : undefined;
    if (target?.origin !== origin || redirects === maxRedirects) throw redirected(answer.status);
    at = target.pathname + target.search;
  }
}

function redirected(status: number): CountersignError {
  return new CountersignError('issuer-refused', 'The issuer redirects to another origin, or too often.', {
    evidence: { reason: `http-${status}` },
    hint: 'The platform must check where the EST server redirects to, and set url in the renewal of the identity if that is right.',
  });
}

function requestOf(path: string, credentials: Credentials = {}, body?: string): IssuerRequest {
  const { client, authorization } = credentials;
  return {
    method: body === undefined ? 'GET' : 'POST',
    path,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/pkcs10' }),
    },
    ...(body === undefined ? {} : { body }),
    ...(client ? { client } : {}),
  };
}

/** Base64 of the DER, without line breaks and without a Content-Transfer-Encoding (RFC 8951, section 3.1). */
function bodyOf(certificateRequest: string): string {
  return canonicalBytes(certificateRequest).toString('base64');
}

/** Section 3.2.2: the label follows `/.well-known/est`. */
function pathOf(url: URL, label: string | undefined): string {
  if (url.pathname !== '/')
    throw settingUnusable('renewal: issuer.url of an EST server must have no path; use issuer.label for a label.');
  return label === undefined ? '/.well-known/est' : `/.well-known/est/${encodeURIComponent(label)}`;
}

/** RFC 7617: the name has no colon. */
function basicOf({ username, password }: EstSettings): string | undefined {
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined || username.includes(':')) {
    throw settingUnusable(
      'renewal: issuer.username and issuer.password must be set together, and the name must have no colon.',
    );
  }
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/**
 * The certificates of a certs-only PKCS#7 in base64 (RFC 7030, section 4.1.3; RFC 5652, section 5), as PEM, unverified.
 * White space in the base64 and Content-Transfer-Encoding are ignored (RFC 8951, section 3.1). Some servers write BER.
 * Throws `issued-certificate-unusable`.
 */
export function certificatesOf(body: Buffer): string {
  const ber = decodeBase64(body.toString('latin1'));
  if (ber === undefined) throw malformedResponse('is not base64');
  return certificatesIn(signedCertificates(ber).map((der) => writePem('CERTIFICATE', der)));
}

function signedCertificates(ber: Buffer): readonly Buffer[] {
  try {
    const file = readOnlyBer(ber, 'The response');
    const certificates = file && readPkcs7(file);
    if (certificates) return certificates;
  } catch {
    // Nested too deep, or too many elements.
  }
  throw malformedResponse('is not a PKCS#7 of certificates');
}

/** IMF-fixdate (RFC 9110, section 5.6.7). Date.parse alone accepts other formats too. */
const httpDate =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Retry-After in milliseconds (RFC 9110, section 10.2.3): 0 for a past date, undefined if malformed. `now` is in
 * milliseconds since 1970.
 */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!httpDate.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
