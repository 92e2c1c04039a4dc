import { expect, it } from 'vitest';
import { createRequestRejectionLog } from '../../../serve/http/rejection-log.ts';

it('writes 20 lines a second, then the number of further rejections', () => {
  const lines: Record<string, unknown>[] = [];
  let now = 5_000;
  const refused = createRequestRejectionLog({ write: (line) => lines.push(JSON.parse(line)) }, () => now);
  for (let n = 0; n < 50; n++) refused({ code: 'not-authenticated' });
  expect(lines.length).toBe(20);
  now += 1_000;
  refused({ code: 'too-busy', caller: 'bot' });
  expect(lines.splice(20)).toMatchObject([
    { message: 'requests refused', count: 30 },
    { message: 'request refused', code: 'too-busy', caller: 'bot' },
  ]);
});
