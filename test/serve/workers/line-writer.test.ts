import { expect, it, onTestFinished, vi } from 'vitest';
import { createLineWriter } from '../../../serve/workers/line-writer.ts';

it('writes the lines of 10 ms together, in writes of at most 4,096 bytes', () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const writes: string[] = [];
  const { write, flush } = createLineWriter((text) => writes.push(text));
  for (let n = 0; n < 3; n++) write(`${n}\n`);
  expect(writes).toEqual([]);
  vi.advanceTimersByTime(10);
  expect(writes.splice(0)).toEqual(['0\n1\n2\n']);
  for (let n = 0; n < 3; n++) write(`${'ä'.repeat(999)}\n`);
  flush();
  expect(writes.map((text) => Buffer.byteLength(text))).toEqual([3998, 1999]);
  flush();
  vi.advanceTimersByTime(100);
  expect(writes.length).toBe(2);
});
