// `-H @file` from a pipe, which gives what it has: a piece at a time, as many reads as there are.
import { describe, expect, it, vi } from 'vitest';
import { requestHeaders } from '../../../cli/invoke/request.ts';
import { privateFolder } from '../../support/program.ts';

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  return {
    ...actual,
    async open(...args: Parameters<typeof actual.open>) {
      const handle = await actual.open(...args);
      const read = handle.read.bind(handle) as (buffer: Buffer, offset: number, length: number) => Promise<unknown>;
      const inPieces = (buffer: Buffer, offset: number, length: number) => read(buffer, offset, Math.min(length, 7));
      return Object.assign(handle, { read: inPieces });
    },
  };
});

describe('a file of headers', () => {
  it('that comes in pieces is read to its end', async () => {
    const { write } = privateFolder();
    const file = write('headers.txt', 'authorization: Bearer größer\r\nx-last: 2\n');
    expect(await requestHeaders([`@${file}`], {})).toEqual({ authorization: 'Bearer größer', 'x-last': '2' });
  });

  it('that is too large is refused, in however many pieces it comes', async () => {
    const { write } = privateFolder();
    const most = 64 * 1024;
    const line = 'a: ';
    const full = line + 'x'.repeat(most - line.length);
    const { a } = (await requestHeaders([`@${write('full', full)}`], {})) ?? {};
    expect(a).toHaveLength(most - line.length);
    await expect(requestHeaders([`@${write('more', `${full}x`)}`], {})).rejects.toThrow(
      `A file of headers has at most ${most} bytes.`,
    );
  });
});
