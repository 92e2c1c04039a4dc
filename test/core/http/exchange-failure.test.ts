// The judgement on an error after the request, case by case: what it is called, and whether the request may be
// repeated.
import { describe, expect, it } from 'vitest';
import { type ExchangeState, requestFailure } from '../../../core/http/exchange-failure.ts';

const handshake = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_128_GCM_SHA256',
  resumed: false,
  asked: true,
  isFinished: false,
  server: { subject: '', issuer: '', fingerprint256: '', validTo: '' },
};
const fresh: ExchangeState = {
  handshake,
  reused: false,
  answerBegan: false,
  singleWrite: true,
};
const finished = { ...fresh, handshake: { ...handshake, isFinished: true } };
const neverAsked = { ...fresh, handshake: { ...handshake, asked: false } };
const resumed = { ...fresh, handshake: { ...handshake, resumed: true } };
const reused: ExchangeState = { ...fresh, reused: true };

/** As Node and OpenSSL word it, 3.0 and 3.5 differing. */
const alert = (number: number, reason = 'tlsv1 alert unknown ca') =>
  Object.assign(
    new Error(`0:error:0A${(1000 + number).toString(16).padStart(6, '0')}:SSL routines::${reason}:a.c:1:`),
    {
      code: 'ERR_SSL_TLSV1_ALERT',
    },
  );
const stated = Object.assign(new Error('write EPROTO 1:error:0A000418:SSL routines:x:y:z.c:9:SSL alert number 48\n'), {
  code: 'EPROTO',
});
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
const brokenPipe = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
const local = Object.assign(new Error('bad record mac'), { code: 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC' });

const rejected = 'client-certificate-rejected';
const incomplete = 'response-incomplete';

describe('an error after the request', () => {
  it.each([
    ['unknown_ca', alert(48), fresh, rejected, 'observed', 'no', false],
    ['unknown_ca, stated', stated, fresh, rejected, 'observed', 'no', false],
    ['unknown_ca of one that never asked', alert(48), neverAsked, rejected, 'observed', 'no', false],
    ['unknown_ca behind a ticket, or under TLS 1.2', alert(48), finished, rejected, 'observed', 'maybe', false],
    ['internal_error', alert(80), fresh, rejected, 'inferred', 'maybe', false],
    ['internal_error of one that never asked', alert(80), neverAsked, incomplete, undefined, 'maybe', false],
    ['unknown_ca on a kept connection', alert(48), reused, incomplete, undefined, 'maybe', true],
    ['a reset', reset, fresh, rejected, 'inferred', 'maybe', false],
    ['a broken pipe', brokenPipe, fresh, rejected, 'inferred', 'maybe', false],
    ['a reset of one that never asked', reset, neverAsked, incomplete, undefined, 'maybe', false],
    ['a reset of a resumed session', reset, resumed, incomplete, undefined, 'maybe', false],
    ['a reset of a kept connection', reset, reused, incomplete, undefined, 'maybe', true],
    ['a broken pipe at the first write', brokenPipe, reused, incomplete, undefined, 'no', true],
    ['a broken pipe later', brokenPipe, { ...reused, singleWrite: false }, incomplete, undefined, 'maybe', true],
    ['a reset in the head', reset, { ...fresh, answerBegan: true }, incomplete, undefined, 'maybe', false],
    ['an alert in the head', alert(48), { ...fresh, answerBegan: true }, incomplete, undefined, 'maybe', false],
    ['a record that does not decrypt', local, fresh, rejected, 'inferred', 'maybe', false],
    ['one of a server that never asked', local, neverAsked, incomplete, undefined, 'maybe', false],
    ['one behind a ticket, or under TLS 1.2', local, finished, incomplete, undefined, 'maybe', false],
    [
      'one of a resumed session',
      local,
      { ...resumed, handshake: { ...handshake, isFinished: true } },
      incomplete,
      undefined,
      'maybe',
      false,
    ],
    ['one on a kept connection', local, reused, incomplete, undefined, 'maybe', true],
    ['one in the head', local, { ...fresh, answerBegan: true }, incomplete, undefined, 'maybe', false],
  ] as const)('%s', (_what, error, state, code, certainty, processed, stale) => {
    const failure = requestFailure(error, state);
    expect(failure.error.code).toBe(code);
    expect(failure.error.evidence?.certainty).toBe(certainty);
    expect([failure.processed, failure.stale]).toEqual([processed, stale]);
    expect(failure.error.message).not.toMatch(/error:0A|\.c:/);
  });
});
