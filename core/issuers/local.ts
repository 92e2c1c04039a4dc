// The authority of the local cloud as an issuer, over HTTP on loopback.
import { collectBytes } from '../byte-collector.ts';
import { CountersignError } from '../errors.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { renewalUnusable } from '../identity/unusable.ts';
import type { Issuer, SigningOrder } from './issuer.ts';

export type LocalSettings = Extract<IssuerSettings, { kind: 'local' }>;

const maxBytes = 65_536;
const attemptMs = 10_000;
/** For the first certificate; later ones get the lifetime of the current one. */
const firstValidityDays = 90;

/** Throws `renewal-unusable` for a URL other than http on loopback: the server is not authenticated. */
export function localIssuer(settings: LocalSettings): Issuer {
  const url = loopbackUrl(settings.url);
  return {
    async issue({ certificateRequest, idempotencyToken, currentLifetimeDays, signal }) {
      const days = settings.validityDays ?? currentLifetimeDays ?? firstValidityDays;
      url.searchParams.set('days', String(days));
      const response = await ask(
        url,
        { certificateRequest, idempotencyToken },
        AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]),
      );
      if (response.status >= 500) throw unavailable(`answered with HTTP ${response.status}`, `http-${response.status}`);
      if (response.status !== 201) {
        throw new CountersignError(
          'issuer-refused',
          `The local authority refused the certificate request with HTTP ${response.status}.`,
          { evidence: { reason: `http-${response.status}` } },
        );
      }
      return { certificates: response.text };
    },
  };
}

function loopbackUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === 'http:' && url.username === '' && url.password === '';
  // Other names could resolve to another machine.
  if (url && isPlain && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)) return url;
  throw renewalUnusable(
    'not-loopback',
    'renewal: issuer.url of the kind local must be http on 127.0.0.1, ::1 or localhost.',
  );
}

type Asked = Pick<SigningOrder, 'certificateRequest' | 'idempotencyToken'>;

async function ask(url: URL, asked: Asked, signal: AbortSignal): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: asked.certificateRequest,
      headers: { 'content-type': 'application/x-pem-file', 'idempotency-key': asked.idempotencyToken },
      redirect: 'error',
      signal,
    });
    const body = response.body ? await collectBytes(response.body, maxBytes) : Buffer.alloc(0);
    if (body !== undefined) return { status: response.status, text: body.toString() };
  } catch (thrown) {
    const reason = signal.aborted ? 'timeout' : networkCodeOf(thrown);
    throw unavailable(signal.aborted ? 'did not respond in time' : 'cannot be reached', reason);
  }
  throw new CountersignError('issued-certificate-unusable', `The local authority sent more than ${maxBytes} bytes.`, {
    evidence: { reason: 'answer-too-large' },
  });
}

function networkCodeOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? (thrown.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : 'Error';
}

function unavailable(fault: string, reason: string): CountersignError {
  return new CountersignError('issuer-unavailable', `The local authority ${fault}.`, {
    evidence: { reason },
    hint: 'The operator of the local cloud must start it: its authority signs the next certificate.',
  });
}
