// README's commands on a minimal Debian 13, as an ordinary user.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findPeer } from '../support/peers.ts';
import { machineMirror } from './root.ts';

/** The tests that read what the system's OpenSSL prints, and the unit tests of core/. */
const tests = ['test/core', 'test/cli/trust-pack', 'test/scenarios/handshake-capture', 'test/scenarios/issuers'];

const mirror = process.getuid?.() === 0 && findPeer('debootstrap') ? machineMirror() : undefined;
const isReachable = mirror !== undefined && (await answers(`${mirror.uri}dists/trixie/Release`));

describe.skipIf(!isReachable)('a fresh Debian (needs root, debootstrap and a Debian mirror)', () => {
  it('installs, starts and passes', { timeout: 1_200_000 }, async () => {
    const args = ['--release', 'trixie', '--user', '--no-peers', ...tests.flatMap((path) => ['--tests', path])];
    const child = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    onTestFinished(() => void child.kill());
    const [status] = await once(child, 'close');
    expect(status, output.slice(-4000)).toBe(0);
  });
});

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(10_000) })).ok;
  } catch {
    return false;
  }
}
