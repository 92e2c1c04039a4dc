// The body of an answer: read to its end, decoded, and never more of it than the limit, however small it came in.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { ByteCollector } from '../byte-collector.ts';
import { CountersignError } from '../errors.ts';
import { codingsOf, decodeBody, maxCodedBytes, responseTooLarge } from './content-coding.ts';
import { type ResponseFields, readFields } from './response-fields.ts';

export interface BodyOptions {
  /** Of the returned bytes, decoded or not. */
  readonly limitBytes: number;
  /** False leaves the content coding as it came. */
  readonly decode: boolean;
  /** True once the call has ended, at its deadline for example: decoding stops then. Default: never. */
  readonly isAbandoned?: () => boolean;
  /** If they are read already. */
  readonly fields?: ResponseFields;
}

export interface CollectedBody {
  readonly bytes: Buffer;
  /**
   * True when a content coding was taken off: then content-encoding and content-length no longer describe the bytes.
   */
  readonly decoded: boolean;
  /**
   * There when nothing but the close of the connection ended it, which Node tells from a break no better than HTTP/1.1
   * does: what was cut off on the way looks the same (RFC 9112, section 9.8). A coding that was taken off has an end.
   */
  readonly endIsUnproven?: true;
}

/**
 * Must be called inside the `response` event: an error in the same read as the head is emitted only once. Throws
 * `response-too-large`, `response-incomplete`, `response-malformed`, or the CountersignError with which the request or
 * the response was destroyed (its deadline, say); the connection is closed then, and otherwise goes back to its agent.
 * Trailers are dropped.
 */
export async function collectBody(response: IncomingMessage, options: BodyOptions): Promise<CollectedBody> {
  const { fields = readFields(response.rawHeaders) } = options;
  const coding = options.decode ? fields.contentEncoding : undefined;
  const codings = coding ? codingsOf(coding) : [];
  const limit = options.limitBytes;
  const bytes = await read(response, fields, codings.length === 0 ? limit : maxCodedBytes(limit), limit);
  // The answers to HEAD, 204 and 304 name a coding and have no body.
  if (codings.length === 0 || bytes.length === 0) {
    const isUnproven = endsWithTheConnection(response, fields);
    return isUnproven ? { bytes, decoded: false, endIsUnproven: true } : { bytes, decoded: false };
  }
  const { isAbandoned = () => false } = options;
  return { bytes: await decodeBody(codings, bytes, { limitBytes: limit, isAbandoned }), decoded: true };
}

/** Plain listeners instead of a pipeline: most bodies are one chunk, and this is the path of every call. */
function read(
  response: IncomingMessage,
  fields: ResponseFields,
  mostBytes: number,
  limitBytes: number,
): Promise<Buffer> {
  // Node sets `req` on every answer a client gets; only its types do not say so.
  const { req: request } = response as IncomingMessage & { readonly req: ClientRequest };
  return new Promise((resolve, reject) => {
    const expectedBytes = announcedBytes(response, fields, request.method);
    const body = new ByteCollector({ maxBytes: mostBytes, expectedBytes });

    function fail(error: CountersignError): void {
      body.clear();
      request.off('error', onRequestError);
      response.destroy();
      reject(error);
    }
    // Node tells the parser's errors to the request, and to the response only that it was aborted.
    function onRequestError(cause: Error): void {
      if (cause instanceof CountersignError) fail(cause);
      else if (isParserError(cause)) fail(malformed(cause));
    }

    if (response.destroyed && !response.readableEnded) return fail(incomplete(fields, body.size));
    if (expectedBytes > mostBytes) return fail(responseTooLarge(limitBytes));
    request.on('error', onRequestError);
    response.on('data', (chunk: Buffer) => {
      if (!body.add(chunk)) fail(responseTooLarge(limitBytes));
    });
    response.on('end', () => {
      if (!response.complete) return fail(incomplete(fields, body.size));
      request.off('error', onRequestError);
      resolve(body.bytes);
    });
    response.on('error', (cause) =>
      fail(cause instanceof CountersignError ? cause : incomplete(fields, body.size, cause)),
    );
    response.on('close', () => {
      if (!response.readableEnded) fail(incomplete(fields, body.size));
    });
  });
}

/** The body has neither a length nor chunks, and the response is one that can have a body (RFC 9112, section 6.3). */
function endsWithTheConnection(response: IncomingMessage, fields: ResponseFields): boolean {
  const { statusCode } = response;
  if (fields.contentLength !== undefined || statusCode === 204 || statusCode === 304) return false;
  if (/\bchunked\s*$/i.test(fields.transferEncoding ?? '')) return false;
  const { req: request } = response as IncomingMessage & { readonly req: ClientRequest };
  return request.method !== 'HEAD';
}

/**
 * The announced length of the body. A response to HEAD, a 204 and a 304 have no body, whatever they announce (RFC 9112,
 * section 6.3).
 */
function announcedBytes({ statusCode }: IncomingMessage, { contentLength }: ResponseFields, method: string): number {
  return method === 'HEAD' || statusCode === 204 || statusCode === 304 ? 0 : Number(contentLength ?? 0);
}

function incomplete({ contentLength }: ResponseFields, receivedBytes: number, cause?: unknown): CountersignError {
  const announced = Number(contentLength);
  return new CountersignError('response-incomplete', 'The connection ended before the response was complete.', {
    evidence: { receivedBytes, ...(Number.isSafeInteger(announced) ? { announcedBytes: announced } : {}) },
    cause,
  });
}

function malformed(cause: Error): CountersignError {
  return new CountersignError('response-malformed', 'The body of the response is not valid HTTP.', {
    evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
    cause,
  });
}

/** llhttp's codes; the end of the stream in the middle of a chunk is no fault of what was sent so far. */
function isParserError(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE';
}
