// Sends a request and writes down what was sent and what came back, header by header.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { logged, quoted, type Section } from './recording.ts';
import type { RecordedRequest } from './requests.ts';

export interface Exchange {
  readonly title: string;
  readonly parts: readonly string[];
  /** Value of `x-request-id`, if present. */
  readonly requestId: string | undefined;
}

/** Each request on a connection of its own. */
export async function exchange(url: string, asked: RecordedRequest, options: RequestOptions = {}): Promise<Exchange> {
  const { title, method, path, headers = [], body } = asked;
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const { response, text } = await answerTo(url, asked, bytes, options);
  const sent = [`${method} ${path}`, ...headers.map(([name, value]) => `${name}: ${value}`)].map(shortened);
  const shown = bytes && bytes.length > 0 ? [quoted('>', shortened(bytes.toString('utf8')))] : [];
  const received = [`HTTP ${response.statusCode} ${response.statusMessage}`, ...headerLines(response, asked, text)];
  return {
    title,
    parts: [
      ...sent.map((line) => `> ${line}`),
      ...shown,
      ...received.map((line) => `< ${line}`),
      ...(text === '' || asked.isBodyRecorded === false ? [] : [quoted('<', shortened(text))]),
    ],
    requestId: response.headers['x-request-id']?.toString(),
  };
}

function answerTo(
  url: string,
  { method, path, headers = [] }: RecordedRequest,
  bytes: Buffer | undefined,
  options: RequestOptions,
): Promise<{ response: IncomingMessage; text: string }> {
  const { hostname, port, protocol } = new URL(url);
  const request = protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = { hostname, port, method, path, agent: false, setHost: !headers.some(([name]) => name === 'host') };
    const outgoing = request({ ...sent, ...options }, (response) => {
      buffer(response).then((body) => resolve({ response, text: body.toString('utf8') }), reject);
    });
    for (const [name, value] of headers) outgoing.setHeader(name, value);
    // The answer may come before all was sent, and end the connection.
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}

/** A length is compared with the body, which holds times of any length; lengths are not. */
function headerLines(response: IncomingMessage, { isBodyRecorded }: RecordedRequest, text: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at < response.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [response.rawHeaders[at], response.rawHeaders[at + 1]];
    const isRight = name.toLowerCase() === 'content-length' && text !== '' && Number(value) === Buffer.byteLength(text);
    const isOfTexts = isBodyRecorded === false && /^(etag|content-length)$/i.test(name);
    lines.push(`${name}: ${isRight || isOfTexts ? '<of the body>' : value}`);
  }
  return lines;
}

/** Bodies that are large for their own sake. No regular expression: V8 recurses once for each repetition. */
function shortened(text: string): string {
  let written = '';
  for (let at = 0; at < text.length; ) {
    const sign = text[at] ?? '';
    let end = at + 1;
    while (text[end] === sign) end++;
    const count = end - at;
    written += count < 500 ? text.slice(at, end) : `<${count} times ${sign === ' ' ? 'blank' : sign}>`;
    at = end;
  }
  return written;
}

/** The lines of a log go with the exchange whose request id they have; those without one come last, each once. */
export function sectionsOf(exchanges: readonly Exchange[], lines: readonly string[]): Section[] {
  const rest = [...lines];
  const sections = exchanges.map(({ title, parts, requestId }) => {
    const own = requestId === undefined ? [] : rest.filter((line) => line.includes(`"requestId":"${requestId}"`));
    for (const line of own) rest.splice(rest.indexOf(line), 1);
    return { title, parts: [...parts, ...own.map(logged)] };
  });
  return [...sections, { title: 'lines of no request', parts: rest.map(logged) }];
}

export const linesIn = (text: string) => text.split('\n').filter((line) => line !== '');
