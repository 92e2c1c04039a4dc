// AWS JSON 1.1 over HTTP: what a request must be before an action sees it, and how answers and errors are written.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import { AwsError } from './aws-error.ts';

export const contentType = 'application/x-amz-json-1.1';

/** What tells one service's requests from another's. */
export interface Service {
  /** Before the action in X-Amz-Target. */
  readonly target: string;
  /** In the scope of the credentials. */
  readonly signingName: string;
  readonly maxBodyBytes: number;
}

/**
 * Which action is meant. Throws an AwsError for whatever is not a call of an SDK or the CLI.
 *
 * A web page in the user's browser can reach loopback. It cannot send this content type without asking first (which is
 * refused, having the wrong method), and a page whose own name was made to lead here (DNS rebinding) gives itself away
 * by that name in Host. No SDK and no CLI says where a page is from, as browsers do.
 */
export function actionNameOf(request: IncomingMessage, service: Service): string {
  const { headers, method, url } = request;
  if (!isLoopbackHeader(headers.host ?? '')) {
    throw new AwsError('AccessDeniedException', 'Only requests to a loopback name or address are answered.');
  }
  if (url !== '/') throw new AwsError('UnknownOperationException', 'The only path here is /.', { status: 404 });
  if (method !== 'POST') {
    throw new AwsError('UnknownOperationException', 'The only method here is POST.', { status: 405 });
  }
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
    throw new AwsError('AccessDeniedException', 'No request of a web page is answered.');
  }
  if (headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== contentType) {
    throw new AwsError('UnknownOperationException', `The content type must be ${contentType}.`, { status: 415 });
  }
  checkAuthorization(request, service.signingName);
  const target = headers['x-amz-target'];
  const [prefix, name = '', ...more] = typeof target === 'string' ? target.split('.') : [];
  if (prefix === service.target && more.length === 0 && /^\w+$/.test(name)) return name;
  throw new AwsError('UnknownOperationException', `The header X-Amz-Target must be ${service.target}.<operation>.`);
}

/**
 * The form of a Signature Version 4 header (AWS IAM User Guide, "Elements of an AWS API request signature"). The
 * signature is not verified: there is no secret key on this side to verify it with, any credentials will do.
 */
function checkAuthorization({ headers }: IncomingMessage, signingName: string): void {
  const header = headers.authorization;
  if (!header) throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const [algorithm, ...rest] = header.split(' ');
  if (algorithm !== 'AWS4-HMAC-SHA256') {
    throw new AwsError('IncompleteSignatureException', 'Authorization header must begin with AWS4-HMAC-SHA256.');
  }
  const given = new Map(rest.join('').split(',').map(parameter));
  const scope = given.get('Credential')?.split('/').at(-2);
  const wrong = Object.entries(authorizationParameters)
    .filter(
      ([name, pattern]) => !pattern.test(given.get(name) ?? '') || (name === 'Credential' && scope !== signingName),
    )
    .map(([name]) => `Authorization header requires a well-formed '${name}' parameter.`);
  if (!headers['x-amz-date'] && !headers.date) {
    wrong.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  if (wrong.length > 0) throw new AwsError('IncompleteSignatureException', wrong.join(' '));
}

const authorizationParameters = {
  Credential: /^[^/]+(\/[^/]+)*\/\d{8}\/[a-z0-9-]+\/[a-z0-9-]+\/aws4_request$/,
  SignedHeaders: /^[a-z0-9-]+(;[a-z0-9-]+)*$/,
  Signature: /^[0-9a-f]{64}$/,
};

function parameter(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** The body as an object, fields that are null left out: to AWS they are absent. Throws SerializationException. */
export async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<object> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Read on to the end, keeping nothing: a client that is still writing would not see the answer.
    if (size <= maxBodyBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size > maxBodyBytes) {
    throw new AwsError('RequestEntityTooLargeException', `A request can have at most ${maxBodyBytes} bytes.`);
  }
  const body = parseJson(Buffer.concat(chunks));
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new AwsError('SerializationException', 'The body must be a JSON object.');
}

function parseJson(bytes: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value));
  } catch {
    // JSON.parse quotes what it could not read; that may be a secret.
    throw new AwsError('SerializationException', 'The body is not JSON.');
  }
}

export function writeAnswer(response: ServerResponse, answer: object): void {
  write(response, 200, answer);
}

export function writeError(response: ServerResponse, error: AwsError): void {
  response.setHeader('x-amzn-errortype', error.name);
  if (error.status === 405) response.setHeader('allow', 'POST');
  write(response, error.status, { __type: error.name, Message: error.message });
}

function write(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-store',
  });
  response.end(bytes);
}
