// A token is compared with each that is known, in constant time: neither which of them it is nor how much of it is right can be measured.
import { timingSafeEqual } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { parseCallers } from '../../../serve/auth/callers.ts';
import { newToken } from '../../support/serve/installation.ts';

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

it('whichever it is, and whether or not it is known', () => {
  const tokens = Array.from({ length: 7 }, () => newToken());
  const entries = tokens.map(({ tokenSha256 }, n) => ({ name: `bot-${n}`, tokenSha256, identities: '*' }));
  const callers = parseCallers(JSON.stringify(entries), 'callers.json');
  for (const { token } of [...tokens, newToken()]) {
    vi.mocked(timingSafeEqual).mockClear();
    callers.byToken(token);
    expect(timingSafeEqual).toHaveBeenCalledTimes(tokens.length);
  }
});
