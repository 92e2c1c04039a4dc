// What an API may answer, held against its shape before anything is read of it: an invocation, a diagnosis, or a problem.
import * as v from 'valibot';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { InvocationResult } from '../../core/invocation/answer.ts';
import { type ExitCode, exitCodes, refusal, unavailable } from '../exit-code.ts';
import type { Api, ApiAnswer, Problem, Result } from './api.ts';
import { parsed } from './parsed.ts';

const problem = v.looseObject({
  code: v.string(),
  detail: v.string(),
  title: v.optional(v.string()),
  hint: v.optional(v.string()),
  step: v.optional(v.number()),
  retryable: v.optional(v.boolean()),
});

/** A server may send some hundred certificates, each of which may be found fault with. */
const mostInList = 1_000;
/** What stands in a column of its own, which is as wide as the longest of them. */
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
        status: v.picklist(['passed', 'failed', 'warning', 'skipped']),
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
    client: v.looseObject({ fingerprint256: v.string(), validTo: v.string(), version: v.string(), stage: v.string() }),
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

/** Throws `unavailable` for what is neither a diagnosis nor a problem: a refusal is kept for what a diagnosis found. */
export function readDiagnosis(api: Pick<Api, 'place'>, answer: ApiAnswer): Result<Diagnosis> {
  return read(api, answer, diagnosis, exitCodes.unavailable) as Result<Diagnosis>;
}

/** Throws `unavailable` for what is neither an invocation's answer nor a problem; a refusal where the caller is turned away. */
export function readInvocation(api: Pick<Api, 'place'>, answer: ApiAnswer): Result<InvocationResult> {
  return read(api, answer, invocation, exitCodes.refused) as Result<InvocationResult>;
}

function read(
  api: Pick<Api, 'place'>,
  { status, body }: ApiAnswer,
  schema: v.GenericSchema,
  turnedAway: ExitCode,
): Result<unknown> {
  let value: unknown;
  try {
    value = parsed(body);
  } catch {
    throw strange(api, status, body, turnedAway);
  }
  if (status === 200) {
    const read = v.safeParse(schema, value);
    if (read.success) return { answer: value };
  } else {
    const read = v.safeParse(problem, value);
    if (read.success) return { problem: read.output satisfies Problem };
  }
  throw strange(api, status, body, turnedAway);
}

/** What API Gateway and proxies say by themselves is not repeated: with a wrong signature it quotes the headers that were sent. */
function strange({ place }: Pick<Api, 'place'>, status: number, body: string, turnedAway: ExitCode): Error {
  const sentence = `${place} answers with HTTP ${status} and nothing of Countersign's.${advice(status, body)}`;
  return turnedAway === exitCodes.refused && (status === 401 || status === 403 || status === 413)
    ? refusal('api-refused', sentence)
    : unavailable('api-strange', sentence);
}

/** In the words of nginx and Go. */
const wantsHttps = /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/;

function advice(status: number, body: string): string {
  if (status === 400 && wantsHttps.test(body)) return ' It speaks https, not http.';
  const elsewhere = ' It leads elsewhere, and is not followed: name the API itself with --api.';
  const advised: Readonly<Record<number, string>> = {
    301: elsewhere,
    302: elsewhere,
    307: elsewhere,
    308: elsewhere,
    200: ' Something else may listen there.',
    401: ' It does not know who asks.',
    403: ' It does not let the caller in: check the credentials, their region, and what they are allowed.',
    404: ' It has no such route: check the path of --api.',
    413: ' The request is too large for it.',
    429: ' It has too many requests: try again shortly.',
    503: ' Try again shortly.',
    504: ' Try again shortly.',
  };
  return advised[status] ?? '';
}
