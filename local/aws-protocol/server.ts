// An AWS JSON 1.1 service on loopback: checks a request and its fields, runs its action, and writes the response.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as v from 'valibot';
import { ByteCollector } from '../../core/byte-collector.ts';
import { listen, urlOf } from '../../listener/listen.ts';
import { isLoopback, isLoopbackHeader } from '../../listener/loopback.ts';
import { AwsError } from './aws-error.ts';

export interface AwsServerOptions {
  readonly service: Service;
  /** Throws UnknownOperationException. */
  readonly actionNamed: (name: string) => (body: object) => object | Promise<object>;
  /** Wraps an error that is not an AwsError, as its cause. */
  readonly internalError: (cause: unknown) => AwsError;
  /** 0 for any free one. */
  readonly port: number;
  readonly host: string;
  /** For error messages: the name of the service, and the option that sets its port. */
  readonly what: string;
  readonly option: string;
}

export interface AwsServer {
  readonly url: string;
  /** Finishes requests in progress, then closes the port. */
  close(): Promise<void>;
}

/** Throws an Error of one sentence when it cannot listen there. */
export async function startAwsServer(options: AwsServerOptions): Promise<AwsServer> {
  const { service, actionNamed, host, port, what, option } = options;
  if (!isLoopback(host)) {
    throw new Error(`${what.replace(/^the/, 'The')} listens on loopback only, and ${host} is not a loopback address.`);
  }
  /** Requests with a parsed body that are not yet answered. */
  const underway = new Set<Promise<void>>();

  const server = createServer(async (request, response) => {
    response.setHeader('x-amzn-requestid', randomUUID());
    try {
      const action = actionNamed(actionNameOf(request, service));
      const body = await readBody(request, service.maxBodyBytes);
      const done = perform(() => action(body), response);
      underway.add(done);
      await done;
      underway.delete(done);
    } catch (error) {
      writeError(response, asAwsError(error));
    }
  });

  async function perform(action: () => object | Promise<object>, response: ServerResponse): Promise<void> {
    try {
      writeAnswer(response, await action());
    } catch (error) {
      writeError(response, asAwsError(error));
    }
    if (!response.closed) await new Promise((resolve) => response.once('close', resolve));
  }

  function asAwsError(thrown: unknown): AwsError {
    return thrown instanceof AwsError ? thrown : options.internalError(thrown);
  }

  const at = await listen(server, { port, host, what, option });

  return {
    url: urlOf(host, at),
    async close() {
      const ended = once(server, 'close');
      server.close();
      await Promise.all(underway);
      // Closes keep-alive connections and incomplete requests.
      server.closeAllConnections();
      await ended;
    },
  };
}

const contentType = 'application/x-amz-json-1.1';

/** Identifies the requests of one service. */
interface Service {
  /** Before the action in X-Amz-Target. */
  readonly target: string;
  /** In the scope of the credentials. */
  readonly signingName: string;
  readonly maxBodyBytes: number;
}

/**
 * The name of the action. Throws an AwsError unless the request is a call of an SDK or the CLI.
 *
 * A web page in the user's browser can reach loopback. It cannot send this content type without a preflight request,
 * which is rejected by its method. A page whose name resolves to loopback (DNS rebinding) is rejected by its Host.
 * Browsers also send Origin or Sec-Fetch-Site; SDKs and the CLI do not.
 */
function actionNameOf(request: IncomingMessage, service: Service): string {
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
 * signature is not verified, because the server has no secret key: any credentials are accepted.
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

/** The body as an object without null fields, which AWS treats as absent. Throws SerializationException. */
async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<object> {
  const collector = new ByteCollector({ maxBytes: maxBodyBytes });
  let fits = true;
  // Reads to the end without storing: a client that is still writing would not read the response.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    fits &&= collector.add(chunk);
    if (!fits) collector.clear();
  }
  if (!fits) {
    throw new AwsError('RequestEntityTooLargeException', `A request can have at most ${maxBodyBytes} bytes.`);
  }
  const body = parseJson(collector.bytes);
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new AwsError('SerializationException', 'The body must be a JSON object.');
}

function parseJson(bytes: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value));
  } catch {
    // The message of JSON.parse quotes the input, which may contain a secret.
    throw new AwsError('SerializationException', 'The body is not JSON.');
  }
}

function writeAnswer(response: ServerResponse, answer: object): void {
  write(response, 200, answer);
}

function writeError(response: ServerResponse, error: AwsError): void {
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

/** Validates the body for the action; unknown fields are dropped, as at AWS. */
export function parseInput<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const wrongType = result.issues.find(isWrongType);
  if (wrongType) {
    throw new AwsError('SerializationException', `The value at '${pathOf(wrongType)}' is not of the expected type.`);
  }
  const words = result.issues.map(wordsFor);
  throw new AwsError(
    'ValidationException',
    `${words.length} validation error${words.length > 1 ? 's' : ''} detected: ${words.join('; ')}`,
  );
}

function isWrongType(issue: v.BaseIssue<unknown>): boolean {
  if (issue.input === undefined) return false;
  return (
    issue.type === 'integer' ||
    (issue.kind === 'schema' && !(issue.type === 'picklist' && typeof issue.input === 'string'))
  );
}

/**
 * AWS includes the value unless the field is sensitive; this server never does, because a secret may be in the wrong
 * field.
 */
function wordsFor(issue: v.BaseIssue<unknown>): string {
  const value = issue.input === undefined ? 'Value null' : 'Value';
  return `${value} at '${pathOf(issue)}' failed to satisfy constraint: Member must ${constraintOf(issue)}`;
}

function constraintOf(issue: v.BaseIssue<unknown>): string {
  const bound = String(issue.requirement);
  switch (issue.type) {
    case 'min_length':
      return `have length greater than or equal to ${bound}`;
    case 'max_length':
    case 'max_bytes':
      return `have length less than or equal to ${bound}`;
    case 'min_value':
      return `have value greater than or equal to ${bound}`;
    case 'max_value':
      return `have value less than or equal to ${bound}`;
    case 'regex':
      return `satisfy regular expression pattern: ${issue.expected}`;
    case 'picklist':
      return `satisfy enum value set: ${issue.expected}`;
    default:
      return 'not be null';
  }
}

/** `tags.1.member.key`: AWS writes fields in camel case and counts members from 1. */
function pathOf(issue: v.BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map(({ key }) =>
    typeof key === 'number' ? `${key + 1}.member` : String(key).replace(/^./, (first) => first.toLowerCase()),
  );
  return keys.join('.') || 'body';
}
