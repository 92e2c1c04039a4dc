// Validates answers of an API over HTTP: an invocation, a diagnosis, or a problem.
import * as v from 'valibot';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { InvocationResult } from '../../core/invocation/answer.ts';
import { type ExitCode, exitCodes, refusal, unavailable } from '../exit-code.ts';
import type { Api, ApiAnswer, Problem, Result } from './api.ts';

const problem = v.looseObject({
  code: v.string(),
  detail: v.string(),
  title: v.optional(v.string()),
  hint: v.optional(v.string()),
  step: v.optional(v.number()),
  retryable: v.optional(v.boolean()),
  diagnosis: v.optional(v.looseObject({ body: v.looseObject({ url: v.string() }) })),
});

/** A server can send some hundred certificates, each with findings. */
const mostInList = 1_000;
/** Text in a column, whose width is that of the longest text. */
const shortText = v.pipe(v.string(), v.maxLength(200));

const certificates = v.pipe(
  v.array(v.looseObject({ subject: v.string(), issuer: v.string(), validTo: v.string() })),
  v.maxLength(mostInList),
);
const certainty = v.picklist(['observed', 'inferred']);

const diagnosis = v.looseObject({
  verdict: v.picklist([
    'access-granted',
    'access-refused',
    'access-unknown',
    'not-mutual',
    'server-not-trusted',
    'unreachable',
    'identity-unusable',
  ]),
  certainty,
  url: v.string(),
  identity: v.looseObject({ name: v.string(), version: v.optional(v.string()), stage: v.optional(v.string()) }),
  steps: v.pipe(
    v.array(
      v.looseObject({
        step: v.number(),
        name: shortText,
        status: v.picklist(['passed', 'failed', 'warning', 'skipped', 'unknown']),
        durationMs: v.number(),
        findings: v.pipe(
          v.array(
            v.looseObject({
              code: shortText,
              severity: v.picklist(['failure', 'warning', 'note']),
              detail: v.string(),
              certainty,
            }),
          ),
          v.maxLength(mostInList),
        ),
      }),
    ),
    v.maxLength(5),
  ),
  remedies: v.pipe(v.array(v.looseObject({ who: shortText, do: v.string() })), v.maxLength(mostInList)),
  server: v.optional(
    v.looseObject({ chain: certificates, address: v.optional(v.string()), protocol: v.optional(v.string()) }),
  ),
  request: v.optional(
    v.looseObject({
      acceptableIssuers: v.pipe(v.array(v.string()), v.maxLength(mostInList)),
      asked: v.optional(v.boolean()),
    }),
  ),
  client: v.optional(v.looseObject({ chain: certificates })),
  probe: v.optional(v.looseObject({ method: v.string(), path: v.string(), status: v.optional(v.number()) })),
});

const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

const invocation = v.looseObject({
  status: v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(999)),
  headers: v.record(
    v.pipe(v.string(), v.regex(headerName)),
    v.union([v.string(), v.pipe(v.array(v.string()), v.maxLength(mostInList))]),
  ),
  body: v.string(),
  bodyEncoding: v.picklist(['utf8', 'base64']),
  handshake: v.looseObject({
    protocol: v.string(),
    cipher: v.string(),
    connection: v.string(),
    server: v.looseObject({ subject: v.string(), issuer: v.string(), validTo: v.string() }),
    // 0.1 has no clientCertificateRequested, and always a client.
    clientCertificateRequested: v.optional(v.union([v.boolean(), v.literal('unknown')])),
    client: v.optional(
      v.looseObject({ fingerprint256: v.string(), validTo: v.string(), version: v.string(), stage: v.string() }),
    ),
  }),
  timings: v.looseObject({
    dnsMs: v.number(),
    connectMs: v.number(),
    tlsMs: v.number(),
    firstByteMs: v.number(),
    totalMs: v.number(),
  }),
  advice: v.optional(v.string()),
});

/**
 * Throws `unavailable` for an answer that is neither a diagnosis nor a problem. Exit code 1 is for findings of a
 * diagnosis.
 */
export function readDiagnosis(api: Pick<Api, 'place'>, answer: ApiAnswer): Result<Diagnosis> {
  return read(api, answer, diagnosis, exitCodes.unavailable) as Result<Diagnosis>;
}

/**
 * Throws `unavailable` for an answer that is neither a result nor a problem, and a refusal if the caller was rejected.
 */
export function readInvocation(api: Pick<Api, 'place'>, answer: ApiAnswer): Result<InvocationResult> {
  return read(api, answer, invocation, exitCodes.refused) as Result<InvocationResult>;
}

function read(
  api: Pick<Api, 'place'>,
  { status, body }: ApiAnswer,
  schema: v.GenericSchema,
  exitCodeOfRejection: ExitCode,
): Result<unknown> {
  let value: unknown;
  try {
    value = parseBoundedJson(body);
  } catch {
    throw unexpectedAnswer(api, status, body, exitCodeOfRejection);
  }
  if (status === 200) {
    const read = v.safeParse(schema, value);
    if (read.success) return { answer: value };
  } else {
    const read = v.safeParse(problem, value);
    if (read.success) return { problem: read.output satisfies Problem };
  }
  throw unexpectedAnswer(api, status, body, exitCodeOfRejection);
}

/** Quotes nothing of the body: for a wrong signature API Gateway quotes the headers of the request. */
function unexpectedAnswer(
  { place }: Pick<Api, 'place'>,
  status: number,
  body: string,
  exitCodeOfRejection: ExitCode,
): Error {
  const sentence = `${place} responds with HTTP ${status} and not with a response of Countersign.${advice(status, body)}`;
  return exitCodeOfRejection === exitCodes.refused && (status === 401 || status === 403 || status === 413)
    ? refusal('api-refused', sentence)
    : unavailable('api-strange', sentence);
}

/** The error texts of nginx and Go. */
const wantsHttps = /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/;

function advice(status: number, body: string): string {
  if (status === 400 && wantsHttps.test(body)) return ' It expects https, not http.';
  const elsewhere = ' Redirects are not followed. Name the API itself with --api.';
  const advised: Readonly<Record<number, string>> = {
    301: elsewhere,
    302: elsewhere,
    307: elsewhere,
    308: elsewhere,
    200: ' Another service may use that address.',
    401: ' It does not know the caller.',
    403: ' It rejects the caller. Check the credentials, their region and their permissions.',
    404: ' It has no such route. Check the path of --api.',
    413: ' The request is too large.',
    429: ' It has too many requests. Try again shortly.',
    503: ' Try again shortly.',
    504: ' Try again shortly.',
  };
  return advised[status] ?? '';
}

/** The deepest member of a valid answer, the evidence of a finding, is seven levels deep. */
const mostDeep = 16;
/** The longest valid answers have a few thousand members. */
const mostMembers = 100_000;

/** Parses JSON. Throws for invalid JSON, and for JSON that is nested or long enough to exhaust memory. */
export function parseBoundedJson(text: string): unknown {
  if (!isWithinLimits(text)) throw new SyntaxError('Too deep or too many members.');
  return JSON.parse(text);
}

/** Looked at before it is parseBoundedJson: 16 MiB of brackets become a gigabyte of lists. */
function isWithinLimits(text: string): boolean {
  let depth = 0;
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') at = endOfString(text, at);
    else if (sign === '[' || sign === '{') depth++;
    else if (sign === ']' || sign === '}') depth--;
    else if (sign === ',') members++;
    if (depth > mostDeep || members > mostMembers) return false;
  }
  return true;
}

/** Index of the quotation mark that ends the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
