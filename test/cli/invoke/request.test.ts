// `-H @file` from a pipe, whose writer sends it in pieces.
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requestHeaders } from '../../../cli/invoke/request.ts';
import { privateFolder } from '../../support/program.ts';

describe('a file of headers', () => {
  it('is read to its end from a pipe, also when a character is split', async () => {
    const pipe = join(privateFolder().path, 'headers');
    execFileSync('mkfifo', [pipe]);
    const headers = requestHeaders([`@${pipe}`], {});
    const bytes = Buffer.from('authorization: Bearer größer\r\nx-last: 2\n');
    const writer = await open(pipe, 'w');
    for (let at = 0; at < bytes.length; at += 1) await writer.write(bytes.subarray(at, at + 1));
    await writer.close();
    expect(await headers).toEqual({ authorization: 'Bearer größer', 'x-last': '2' });
  });

  it('has lines that end with LF or CRLF', async () => {
    const file = privateFolder().write('headers', 'X-From: a file\r\nX-Second: 2\n\n');
    expect(await requestHeaders([`@${file}`], {})).toEqual({ 'X-From': 'a file', 'X-Second': '2' });
  });

  it('is refused above 64 KiB', async () => {
    const { write } = privateFolder();
    const limit = 64 * 1024;
    const line = 'a: ';
    const full = line + 'x'.repeat(limit - line.length);
    const { a } = (await requestHeaders([`@${write('full', full)}`], {})) ?? {};
    expect(a).toHaveLength(limit - line.length);
    await expect(requestHeaders([`@${write('more', `${full}x`)}`], {})).rejects.toThrow(
      `A file of headers has at most ${limit} bytes.`,
    );
  });
});
