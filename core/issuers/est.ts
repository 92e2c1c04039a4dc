// An EST server as the issuer (RFC 7030): enrolment with a password, renewal over mutual TLS with the current certificate.
import { setTimeout as wait } from 'node:timers/promises';
import { CountersignError } from '../errors.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { settingUnusable } from '../identity/unusable.ts';
import { hasSameNames } from '../x509/certificate.ts';
import { certificatesOf } from './est-response.ts';
import {
  type ExchangeLimits,
  exchange,
  type IssuerAnswer,
  type IssuerRequest,
  issuerServer,
} from './https-exchange.ts';
import { mayBeTheCertificate, statusFailure } from './https-failure.ts';
import type { Issuer, SigningOrder } from './issuer.ts';
import { currentNames, requestedNames } from './order-names.ts';
import { retryAfterMs } from './retry-after.ts';

type EstSettings = Extract<IssuerSettings, { kind: 'est' }>;
type Operation = 'cacerts' | 'simpleenroll' | 'simplereenroll';
type Credentials = Pick<IssuerRequest, 'client'> & { readonly authorization?: string };
type Ask = (operation: Operation, credentials?: Credentials, body?: string) => Promise<IssuerAnswer>;

export interface EstOptions extends Partial<ExchangeLimits> {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** The longest wait that a `202` may ask for and is waited out here; a longer one ends the order at once. */
  readonly mostWaitMs?: number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const mostRedirects = 3;

/** Throws `renewal-unusable` for settings that cannot serve. */
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
      // First, as in section 2.1; a certificate whose authority cannot be had would be signed for nothing.
      const authorities = certificatesOf((await authoritiesOf(order, ask)).body);
      const enrolled = await enrol(order, ask);
      return { certificates: certificatesOf(enrolled.body) + authorities };
    },
  };

  /** Section 4.1.2: nobody should have to say who he is for these; where a server wants it all the same, it is told. */
  async function authoritiesOf({ current }: SigningOrder, ask: Ask): Promise<IssuerAnswer> {
    try {
      return succeeded(await ask('cacerts'), 'cacerts');
    } catch (error) {
      const credentials = current ? { client: current } : authorization === undefined ? undefined : { authorization };
      if (credentials === undefined || !wantsToKnowWho(error)) throw error;
      return succeeded(await ask('cacerts', credentials), 'cacerts');
    }
  }

  /** Section 4.2.2: a renewal has the subject and the alternative names of the current certificate; other names are a new enrolment. */
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
      if (authorization === undefined || !mayBeTheCertificate(error)) throw error;
    }
    return answered(order, () => ask('simpleenroll', password, body), 'simpleenroll');
  }

  /** Section 4.2.3: a `202` is the promise of an answer; the same request is sent again once Retry-After is over. */
  async function answered(order: SigningOrder, ask: () => Promise<IssuerAnswer>, operation: Operation) {
    for (;;) {
      const answer = await ask();
      if (answer.status !== 202) return succeeded(answer, operation);
      const pause = retryAfterMs(answer.headers['retry-after'], (options.now ?? Date.now)());
      if (pause === undefined || pause > (options.mostWaitMs ?? 60_000)) throw signatureAwaited(pause);
      try {
        await (options.wait ?? waited)(pause, order.signal);
      } catch {
        throw signatureAwaited(pause);
      }
    }
  }
}

/** Some servers say it with a status, some with an alert, and some by hanging up. */
function wantsToKnowWho(error: unknown): boolean {
  if (!(error instanceof CountersignError)) return false;
  const { alert, reason } = error.evidence ?? {};
  return error.code === 'issuer-refused' || alert !== undefined || reason === 'ECONNRESET' || reason === 'EPIPE';
}

/** A server that answers 202 with a zero would be asked without end. */
const leastWaitMs = 1_000;

async function waited(ms: number, signal: AbortSignal): Promise<void> {
  await wait(Math.max(ms, leastWaitMs), undefined, { signal });
}

function signatureAwaited(pause: number | undefined): CountersignError {
  const seconds = pause === undefined ? undefined : Math.ceil(pause / 1000);
  return new CountersignError(
    'signature-awaited',
    'The issuer has taken the certificate request and not signed it yet.',
    {
      evidence: { reason: 'http-202', ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) },
      hint: 'Whoever runs the EST server must approve the certificate request; the rotation sends the same one again.',
    },
  );
}

/** Only in answer to 200 is there a certificate (section 4.2.3). */
function succeeded(answer: IssuerAnswer, operation: Operation): IssuerAnswer {
  if (answer.status === 200) return answer;
  if (answer.status === 401 && offersDigestAlone(answer)) {
    throw new CountersignError('issuer-refused', `The issuer asks for HTTP Digest authentication for ${operation}.`, {
      evidence: { reason: 'http-401' },
      hint: 'The platform must have the EST server accept HTTP Basic authentication over TLS, or the certificate alone.',
    });
  }
  throw statusFailure(answer.status, operation);
}

function offersDigestAlone({ headers }: IssuerAnswer): boolean {
  const challenge = headers['www-authenticate'] ?? '';
  return /\bdigest\b/i.test(challenge) && !/\bbasic\b/i.test(challenge);
}

/**
 * Section 3.2.1 lets a client follow a redirect inside one origin, and no further without somebody to ask. Method and body
 * stay as they are; 303 would change them and is not followed.
 */
async function followed(origin: string, path: string, ask: (path: string) => Promise<IssuerAnswer>) {
  let at = path;
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(at);
    const { location } = answer.headers;
    if (![301, 302, 307, 308].includes(answer.status) || location === undefined) return answer;
    const target = URL.canParse(location, origin + at) ? new URL(location, origin + at) : undefined;
    if (target?.origin !== origin || redirects === mostRedirects) throw redirected(answer.status);
    at = target.pathname + target.search;
  }
}

function redirected(status: number): CountersignError {
  return new CountersignError('issuer-refused', 'The issuer redirects to another server, or without end.', {
    evidence: { reason: `http-${status}` },
    hint: 'The platform must look at where the EST server sends its clients, and put that into the url in the renewal of the identity if it is right.',
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
  return certificateRequest.replace(/-----[^-]+-----/g, '').replace(/\s/g, '');
}

/** Sections 3.2.2: the label stands behind `/.well-known/est`. */
function pathOf(url: URL, label: string | undefined): string {
  if (url.pathname !== '/')
    throw settingUnusable('renewal: issuer.url of an EST server must have no path; a label has a key of its own.');
  return label === undefined ? '/.well-known/est' : `/.well-known/est/${encodeURIComponent(label)}`;
}

/** RFC 7617: the name has no colon. */
function basicOf({ username, password }: EstSettings): string | undefined {
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined || username.includes(':')) {
    throw settingUnusable(
      'renewal: issuer.username and issuer.password must be there together, and the name without a colon.',
    );
  }
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
