// docs/api.md: its request is accepted, each request of its table of rejections is rejected, and its limits are right.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { maxUrlLength } from '../../../core/destination/target.ts';
import { CountersignError } from '../../../core/errors.ts';
import { answerHeaders, encodeBody, invocationResponse } from '../../../core/invocation/answer.ts';
import { knownFields } from '../../../core/invocation/request.ts';
import { limits, routes } from '../../../core/settings.ts';
import { invocationEvent, parseEvent } from '../../support/http/api-events.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/api.md'), 'utf8');
const [request = '', answer = ''] = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
const refusals = [...page.matchAll(/^\| `(\{.*\})` +\| `(\w+)` +\|$/gm)].map(([, text = '', field = '']) => [
  text,
  field,
]);

describe('docs/api.md', () => {
  it.each(Object.values(routes))('has the route %s', (route) => expect(page).toContain(`\`${route}\``));

  it('has a request that is accepted and sent unchanged', () => {
    const parsed = parseEvent(invocationEvent(request));
    expect(parsed).toMatchObject({ method: 'POST', timeoutMs: 10_000, requireMutual: true });
    expect(parsed.body?.toString()).toBe('{ "amount": 12.50, "account": 12345678901234567890 }');
    expect(parsed.headers.slice(0, 6)).toEqual(['accept', 'application/json', 'x-tag', 'a', 'x-tag', 'b']);
  });

  it('has a table of rejected requests', () => expect(refusals.length).toBeGreaterThan(10));

  it.each(refusals)('%s is rejected for its %s', (text, field) => {
    expect(() => parseEvent(invocationEvent(text))).toThrow(CountersignError);
    expect(() => parseEvent(invocationEvent(text))).toThrow(
      expect.objectContaining({ code: 'invalid-request', evidence: { field } }),
    );
  });

  it('has a response of the documented shape', () => {
    const { status, headers, body, bodyEncoding, handshake, timings } = JSON.parse(answer);
    const raw = [
      'Content-Type',
      headers['content-type'],
      ...headers['set-cookie'].flatMap((one: string) => ['Set-Cookie', one]),
    ];
    const encoded = encodeBody(Buffer.from(body, bodyEncoding), headers['content-type']);
    const reply = invocationResponse({ status, headers: answerHeaders(raw, false), ...encoded, handshake, timings });
    expect(JSON.parse(reply.body ?? '')).toEqual(JSON.parse(answer));
  });

  it('has the limits of the code', () => {
    expect(page).toContain(`from 1 to ${limits.maxTimeoutMs}`);
    expect(page).toContain(`| \`timeoutMs\` | ${limits.defaultTimeoutMs} |`);
    expect(page).toContain(`at most ${maxUrlLength} characters`);
    expect(page).toContain(`${limits.maxAnswerBytes / 1e6} MB of body`);
    expect(page).toContain(`${limits.maxEventBytes / 1024 / 1024} MB, as Lambda counts it`);
  });

  it('has a row for each field', () => {
    for (const name of knownFields) expect(page).toMatch(new RegExp(`^\\| \`${name}\` `, 'm'));
  });
});
