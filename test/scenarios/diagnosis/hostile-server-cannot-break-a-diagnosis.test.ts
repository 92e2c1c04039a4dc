// Hostile and broken servers: no diagnosis crashes, hangs past its deadline, grows without bound, or leaves a
// connection open.
import { describe, expect, it } from 'vitest';
import { diagnosisLines } from '../../../cli/diagnosis-text.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { codes, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveBetween, serveHttps, serveTcp, serveTls } from '../../support/servers.ts';

const trial = useDiagnosing();
const soon = { request: { timeoutMs: 400 } };

describe('a server that does not speak TLS gets a report', () => {
  it.each([
    ['plain HTTP', (write: (text: string) => void) => write('HTTP/1.1 400 Bad Request\r\n\r\n'), 'server-not-tls'],
    ['an SSH banner', (write: (text: string) => void) => write('SSH-2.0-OpenSSH_9.2\r\n'), 'server-not-tls'],
  ])('%s', async (_what, speak, code) => {
    const { port } = await serveTcp((socket) => speak((text) => socket.write(text)));
    const diagnosis = await trial.diagnose(port, soon);
    expect(diagnosis.verdict).toBe('unreachable');
    expect(statuses(diagnosis)).toBe('passed failed skipped skipped skipped');
    expect(codes(diagnosis)).toEqual([code]);
  });

  it('a silent server ends the diagnosis at the deadline, a closed connection at once', async () => {
    const silent = await serveTcp(() => {});
    expect(codes(await trial.diagnose(silent.port, soon))).toEqual(['handshake-timeout']);
    const closing = await serveTcp((socket) => socket.end());
    expect(codes(await trial.diagnose(closing.port))).toEqual(['tls-negotiation-failed']);
    const resetting = await serveTcp((socket) => socket.resetAndDestroy());
    expect((await trial.diagnose(resetting.port)).verdict).toBe('unreachable');
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  it('a handshake that closes or stalls at any byte gets a report', async () => {
    const api = await serveHttps(trial.server, () => {}, { maxVersion });
    for (const length of [1, 5, 60, 200, 700, 1200]) {
      for (const then of ['stall', 'close', 'reset'] as const) {
        const pass = (bytes: Buffer, { passed }: { passed: number }) => bytes.subarray(0, Math.max(0, length - passed));
        const between = await serveBetween(api.port, pass, then);
        const diagnosis = await trial.diagnose(between.port, { request: { timeoutMs: 150 } });
        expect(['unreachable', 'access-refused', 'access-unknown']).toContain(diagnosis.verdict);
      }
    }
  });

  it('a handshake with one changed byte gets a report', async () => {
    const api = await serveHttps(trial.server, (socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'), {
      maxVersion,
    });
    for (let at = 0; at < 1200; at += 97) {
      const pass = (bytes: Buffer, { passed }: { passed: number }) => {
        const changed = Buffer.from(bytes);
        const index = at - passed;
        if (index >= 0 && index < changed.length) changed[index] = (changed[index] ?? 0) ^ 0x41;
        return changed;
      };
      const between = await serveBetween(api.port, pass);
      const diagnosis = await trial.diagnose(between.port, { request: { timeoutMs: 500 } });
      expect(diagnosis.verdict).toMatch(
        /^(unreachable|access-refused|access-granted|access-unknown|server-not-trusted)$/,
      );
    }
  });

  it('an endless head, an endless body and a slow body end at the deadline', async () => {
    const tls = { maxVersion, rejectUnauthorized: true, ca: trial.platformRoot.certificate };
    const endless = await serveHttps(
      trial.server,
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n${`x-a: ${'a'.repeat(8000)}\r\n`.repeat(40)}`),
      tls,
    );
    expect(codes(await trial.diagnose(endless.port))).toContain('response-malformed');
    const flood = await serveHttps(
      trial.server,
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = () => socket.writable && socket.write(Buffer.alloc(65_536, 'x')) && setImmediate(more);
        more();
      },
      tls,
    );
    const flooded = await trial.diagnose(flood.port);
    expect(flooded).toMatchObject({ verdict: 'access-granted', probe: { status: 200 } });
    expect(JSON.stringify(flooded).length).toBeLessThan(10_000);
    const drip = await serveHttps(trial.server, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n.'), tls);
    expect(await trial.diagnose(drip.port)).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
  });

  it('hundreds of issuers, and names with terminal escapes, are reported escaped', async () => {
    const named = (index: number) => createAuthority({ commonName: `\u001b[31m\u0007${index}` }).certificate;
    const evil = createAuthority({ commonName: '\u001b]0;owned\u0007', names: ['localhost'] });
    const certificate = evil.issue({
      commonName: '\u001b[2J',
      names: ['\u001b[2Kother.example'],
      notAfter: new Date(Date.now() - 1000),
    });
    const ca = Array.from({ length: 150 }, (_, index) => named(index));
    const { port } = await serveTls(certificate, () => {}, { maxVersion, ca });
    const diagnosis = await trial.diagnose(port, { request: { timeoutMs: 5000 } });
    expect(diagnosis.verdict).toBe('server-not-trusted');
    expect(diagnosis.request?.acceptableIssuerCount).toBe(150);
    expect(diagnosis.request?.acceptableIssuers).toHaveLength(100);
    const issuers = diagnosis.steps[3]?.findings[0];
    expect(issuers?.detail).toMatch(/ and 145 more; ours is issued by/);
    const said = [...strings(diagnosis), ...diagnosisLines(diagnosis, (_style, text) => text)].join('');
    expect(said).toContain('owned');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(said).not.toMatch(/[\u0000-\u001f\u007f]/);
  });
});

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : [];
}

it('a diagnosis with almost no time left ends before it connects', async () => {
  const { port } = await serveTcp(() => {});
  const diagnosis = await trial.diagnose(port, { remainingMs: 501 });
  expect(diagnosis.verdict).toBe('unreachable');
});
