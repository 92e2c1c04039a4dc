import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';

describe('a copy of an error', () => {
  const cause = new Error('cause');
  const diagnosis = { identity: 'robot', url: 'https://api.test/' };
  const error = new CountersignError('handshake-timeout', 'It is so.', {
    step: 5,
    hint: 'Do this.',
    retryable: false,
    evidence: { phase: 'verify', timeoutMs: 1 },
    cause,
    diagnosis,
  });
  const kept = { code: 'handshake-timeout', status: 504, title: error.title, step: 5, retryable: false };

  it('keeps everything that is not changed, and adds evidence', () => {
    const copy = error.with({ evidence: { timeoutMs: 2, version: 'v1' } });
    expect(copy).toMatchObject({ ...kept, message: 'It is so.', hint: 'Do this.', diagnosis });
    expect(copy.evidence).toEqual({ phase: 'verify', timeoutMs: 2, version: 'v1' });
    expect(copy.cause).toBe(cause);
  });

  it('has the new detail, hint and diagnosis', () => {
    const other = { identity: 'other', url: 'https://other.test/' };
    const copy = error.with({ detail: 'It was so.', hint: 'Do that.', diagnosis: other });
    expect(copy).toMatchObject({ ...kept, message: 'It was so.', hint: 'Do that.', diagnosis: other });
    expect(copy.evidence).toEqual(error.evidence);
    expect(new CountersignError('internal-error', 'No.').with({}).evidence).toBeUndefined();
  });
});
