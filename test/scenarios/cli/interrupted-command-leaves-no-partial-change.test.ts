// Ctrl-C and SIGTERM while `invoke`, `diagnose` and `doctor` wait: they end at once, and the file of -o is as it was.

import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directoryFor, listen, startCommand } from '../../support/cli/customer.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';
import { serveTcp } from '../../support/servers.ts';

/** As a shell tells it: 128 and the signal, whether the process was ended by it or ended itself so. */
function codeOf([code, signal]: unknown[]): unknown {
  return signal === null ? code : 128 + constants.signals[signal as NodeJS.Signals];
}

/** The exit code is the one of the command, whatever stands behind it in a pipe. */
function throughShell(args: readonly string[], rest: string) {
  const line = `set -o pipefail; "$@" ${rest}`;
  return runCommand(['--norc', '-c', line, 'bash', process.execPath, mainFile, ...args], { program: 'bash' });
}

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, expected) => {
  it.each(['invoke', 'diagnose', 'doctor'])('ends %s that waits for a server', async (verb) => {
    // Accepts, and says nothing.
    let accepted = () => {};
    const isWaiting = new Promise<void>((done) => {
      accepted = done;
    });
    const { port } = await serveTcp(() => accepted());
    const source = ['--source', `directory:${directoryFor(port)}`];
    const url = verb === 'doctor' ? [] : [`https://localhost:${port}`];
    const { child, ended } = startCommand([verb, ...url, ...source]);
    await isWaiting;
    child.kill(signal);
    expect(codeOf(await ended)).toBe(expected);
  });

  it('leaves the file of -o unchanged until the response is complete', async () => {
    let begun = () => {};
    const { port } = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': '1000000' }).write('x'.repeat(500_000), () => begun());
    });
    const folder = privateFolder();
    const [old, fresh] = [folder.write('old', 'as it was'), join(folder.path, 'fresh')];
    const source = ['--source', `directory:${directoryFor(port)}`];
    for (const file of [old, fresh]) {
      const hasBegun = new Promise<void>((done) => {
        begun = done;
      });
      const { child, ended } = startCommand(['invoke', `https://localhost:${port}`, ...source, '-o', file]);
      await hasBegun;
      child.kill(signal);
      expect(codeOf(await ended)).toBe(expected);
    }
    expect(readFileSync(old, 'utf8')).toBe('as it was');
    expect(existsSync(fresh)).toBe(false);
  });
});

describe('a response that cannot be written', () => {
  it('is detected before the call if the file cannot be written', async () => {
    const { port, received } = await listen((_request, response) => response.end('answer'));
    const source = ['--source', `directory:${directoryFor(port)}`];
    for (const file of ['nowhere/out', '.']) {
      const ran = await runCommand(['invoke', `https://localhost:${port}`, ...source, '-o', file]);
      expect([ran.code, ran.out, ran.error]).toEqual([
        2,
        '',
        expect.stringMatching(/^The file of -o cannot be written/),
      ]);
    }
    expect(received).toEqual([]);
  });

  it.skipIf(!existsSync('/dev/full'))('ends with 1 on a full disk (needs /dev/full)', async () => {
    const { port } = await listen((_request, response) => response.end('answer'));
    const source = ['--source', `directory:${directoryFor(port)}`];
    const args = ['invoke', `https://localhost:${port}`, ...source];
    const toFile = await runCommand([...args, '-o', '/dev/full']);
    expect([toFile.code, toFile.error]).toEqual([1, 'The response cannot be written to the file of -o (ENOSPC).\n']);
    const toOutput = await throughShell(args, '> /dev/full');
    expect([toOutput.code, toOutput.error]).toEqual([1, 'The output cannot be written (ENOSPC).\n']);
  });

  it('is not a failure if the reader closes the pipe', async () => {
    const { port } = await listen((_request, response) => response.end('a line\n'.repeat(500_000)));
    const source = ['--source', `directory:${directoryFor(port)}`];
    const ran = await throughShell(['invoke', `https://localhost:${port}`, ...source], '| head -1');
    expect([ran.code, ran.out, ran.error]).toEqual([0, 'a line\n', '']);
  });
});
