// Apart from callers.test.ts, because it mocks node:crypto.
import { timingSafeEqual } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { parseCallers } from '../../../serve/auth/callers.ts';
import { newToken } from '../../support/serve/installation.ts';

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

it('byToken compares every known token in constant time, whether or not one matches', () => {
  const tokens = Array.from({ length: 7 }, () => newToken());
  const entries = tokens.map(({ tokenSha256 }, n) => ({ name: `bot-${n}`, tokenSha256, identities: '*' }));
  const callers = parseCallers(JSON.stringify(entries), 'callers.json');
  for (const { token } of [...tokens, newToken()]) {
    vi.mocked(timingSafeEqual).mockClear();
    callers.byToken(token);
    expect(timingSafeEqual).toHaveBeenCalledTimes(tokens.length);
  }
});
