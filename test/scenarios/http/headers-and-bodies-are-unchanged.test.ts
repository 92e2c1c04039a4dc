// Property: over real sockets, headers and bodies are not changed in either direction.
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { collectBody } from '../../../core/http/body.ts';
import { answerHeaders, encodeBody, invocationResponse } from '../../../core/invocation/answer.ts';
import type { InvocationRequest } from '../../../core/invocation/request.ts';
import { invocationEvent, parseEvent } from '../../support/http/api-events.ts';
import { listen } from '../../support/http/wire.ts';

const url = 'https://api.acme.example/';
const agent = new Agent({ keepAlive: true });
/** Gives back what came: the header lines in x-lines, the body as it is. */
const server = createServer({ maxHeaderSize: 128 * 1024 }, async (received, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of received) chunks.push(chunk);
  lines = received.rawHeaders;
  response.end(Buffer.concat(chunks));
});
let port = 0;
let lines: string[] = [];

beforeAll(async () => {
  port = await listen(server);
});
afterAll(() => {
  agent.destroy();
  server.close();
});

/** The request on the wire with nothing but what it needs to be there, and the answer as the caller gets it. */
async function send(invocation: InvocationRequest): Promise<Buffer> {
  const framing = ['host', 'localhost', 'content-length', String(invocation.body?.length ?? 0)];
  const { method } = invocation;
  const sent = request({ host: '127.0.0.1', port, agent, method, headers: [...invocation.headers, ...framing] });
  sent.end(invocation.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const { bytes, decoded } = await collectBody(response, { limitBytes: 1_000_000, decode: invocation.decodeContent });
  const reply = invocationResponse({
    status: response.statusCode ?? 0,
    headers: answerHeaders(response.rawHeaders, decoded),
    ...encodeBody(bytes, response.headers['content-type']),
    handshake: {
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_128_GCM_SHA256',
      connection: 'new',
      server: {},
      clientCertificateRequested: true,
      client: {},
    } as never,
    timings: { identityMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, firstByteMs: 0, totalMs: 0 },
  });
  // Twice through JSON, as through Lambda's runtime and the orchestrator.
  const { body, bodyEncoding } = JSON.parse(JSON.parse(JSON.stringify(reply.body)));
  return Buffer.from(body, bodyEncoding);
}

function parse(body: object): InvocationRequest | undefined {
  try {
    return parseEvent(invocationEvent(body));
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'invalid-request') return undefined;
    throw error;
  }
}

const anyText = fc.string({ unit: 'binary', maxLength: 30 });
const field = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/) },
  { weight: 1, arbitrary: anyText },
);
const value = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[!-~\u00a1-\u00ff]([\t -~\u00a1-\u00ff]{0,20}[!-~\u00a1-\u00ff])?$/) },
  { weight: 1, arbitrary: anyText },
);

describe('on the wire', () => {
  it('every byte value is unchanged, in any order', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(await send(parseEvent(invocationEvent({ url, bodyBase64: all.toString('base64') })))).toEqual(all);
    for (let byte = 0; byte < 256; byte++) {
      const one = Buffer.from([byte]);
      expect(await send(parseEvent(invocationEvent({ url, bodyBase64: one.toString('base64') })))).toEqual(one);
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const invocation = parseEvent(invocationEvent({ url, bodyBase64: Buffer.from(bytes).toString('base64') }));
        expect(await send(invocation)).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 200 },
    );
  });

  it('any text is unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (body) => {
        expect((await send(parseEvent(invocationEvent({ url, body })))).toString()).toBe(body);
      }),
      { numRuns: 200 },
    );
  });

  it('any JSON is sent as it was written', async () => {
    const layout = fc.constantFrom(undefined, 1, '\t', '\n');
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ stringUnit: 'binary' }), layout, async (json, indent) => {
        const source = JSON.stringify(json, null, indent);
        const invocation = parseEvent(invocationEvent(`{"url":"${url}", "json" : ${source}, "method":"PUT"}`));
        expect((await send(invocation)).toString()).toBe(source);
      }),
      { numRuns: 200 },
    );
  });

  it('headers arrive unchanged or are rejected, and are never split or changed', async () => {
    const headers = fc.dictionary(field, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 4 });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(headers, async (given) => {
        const invocation = parse({ url, headers: given });
        if (!invocation) return;
        accepted++;
        await send(invocation);
        expect(lines.slice(0, invocation.headers.length)).toEqual(invocation.headers);
        const written = Object.entries(given).flatMap(([name, values]) =>
          [values].flat().flatMap((one) => [name, one]),
        );
        expect(invocation.headers.slice(0, written.length)).toEqual(written);
        const rest = lines.slice(invocation.headers.length).filter((_, at) => at % 2 === 0);
        expect(rest).toEqual(['host', 'content-length', 'Connection']);
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});
