// The small parts around a call: lines in one write, refusals in few lines, identities asked for in turn, counts that never fall.
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { newRecord } from '../../../core/telemetry/invocation-record.ts';
import { createLoadLimit } from '../../../serve/http/load-limit.ts';
import { createRequestRejectionLog } from '../../../serve/http/rejection-log.ts';
import { createIdentityInspection } from '../../../serve/metrics/identity-inspection.ts';
import { addEnded, createServeMetrics, expose } from '../../../serve/metrics/metrics.ts';
import { createIdentityReloader, reloadIntervalMs } from '../../../serve/reload/identity-reloader.ts';
import { createLineWriter } from '../../../serve/workers/line-writer.ts';
import { privateFolder } from '../../support/program.ts';
import { authorities, newIdentity } from '../../support/serve/installation.ts';
import { writeIdentity } from '../../support/serve/serving.ts';
import { documentOf } from '../../support/stage.ts';

describe('lines', () => {
  it('go out together, in writes that a pipe takes whole', () => {
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

  it('of refusals are twenty a second, and then their number', () => {
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
});

describe('identities in use', () => {
  it('are asked for in turn, and forgotten when nobody uses them or there are none', async () => {
    const asked: string[] = [];
    let now = 0;
    const get = (name: string) => {
      asked.push(name);
      if (name === 'gone') return Promise.reject(new CountersignError('identity-not-found', 'Gone.'));
      return Promise.resolve({} as never);
    };
    const kept = createIdentityReloader({ get }, 1_000_000, () => now);
    onTestFinished(kept.close);
    const names = Array.from({ length: 60 }, (_, n) => `identity-${n}`);
    for (const name of ['gone', ...names]) kept.markUsed(name);
    kept.reload();
    await new Promise(setImmediate);
    expect(asked.splice(0)).toEqual(['gone', ...names.slice(0, 24)]);
    kept.reload();
    await new Promise(setImmediate);
    expect(asked.splice(0)).toEqual(names.slice(24, 49));
    now = 3_600_001;
    kept.markUsed('identity-3');
    for (let n = 0; n < 4; n++) kept.reload();
    await new Promise(setImmediate);
    kept.reload();
    expect(new Set(asked)).toEqual(new Set(['identity-3']));
  });
});

describe('an identity in use', () => {
  it.each([0, 1, 1_249, 2_499, 2_500, 2_501, 4_999])(
    'is read again within the time to live, whenever it was first read: here %i ms after the start',
    async (firstReadAt) => {
      const ttlMs = 5_000;
      const document = documentOf(newIdentity(), []);
      const start = Date.now();
      let time = 0;
      const reads: number[] = [];
      const read = async () => {
        reads.push(time);
        return { version: 'v1', stage: 'AWSCURRENT' as const, document };
      };
      const now = () => start + time;
      const identities = createIdentityCache({ source: { read }, ttlMs: reloadIntervalMs(ttlMs), now });
      const kept = createIdentityReloader(identities, 1_000_000_000, now);
      onTestFinished(kept.close);
      for (; time < 60_000; time += 1) {
        if (time === firstReadAt) {
          kept.markUsed('platform');
          await identities.get('platform');
        }
        if (time % reloadIntervalMs(ttlMs) !== 0) continue;
        kept.reload();
        await new Promise(setImmediate);
      }
      const gaps = reads.slice(1).map((at, index) => at - (reads[index] as number));
      expect(gaps.length).toBeGreaterThan(10);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(ttlMs);
    },
  );
});

describe('the load', () => {
  it('is bounded by calls and by bytes, and what is given back is there again', () => {
    const load = createLoadLimit(2, 100);
    const tooBusy = (reason: string) => expect.objectContaining({ code: 'too-busy', evidence: { reason } });
    const first = load.take(60);
    first.hold(60);
    expect(() => load.take(41)).toThrow(tooBusy('bytes'));
    const second = load.take(40);
    second.hold(30);
    second.hold(40);
    expect(() => second.hold(41)).toThrow(tooBusy('bytes'));
    const third = load.take(0);
    for (const one of [first, second]) one.begin();
    expect(() => load.take(0)).toThrow(tooBusy('calls'));
    expect(() => third.begin()).toThrow(tooBusy('calls'));
    first.release();
    third.release();
    expect(load.callsInFlight).toBe(1);
    const fourth = load.take(60);
    fourth.hold(60);
    fourth.begin();
    expect(() => load.take(0)).toThrow(tooBusy('calls'));
  });

  it('is not taken up by what is announced and does not come', () => {
    const load = createLoadLimit(1, 100);
    load.take(100);
    load.take(100);
    const call = load.take(100);
    call.hold(100);
    call.begin();
  });
});

describe('metrics', () => {
  it('are counted from records, and summed over processes that serve and that ended', async () => {
    const process = () => createServeMetrics({ callsInFlight: () => 3, openConnections: () => 5 });
    const [one, other] = [process(), process()];
    const record = newRecord('id');
    one.meter.invocation({ ...record, totalMs: 4, connection: 'reused', earlierConnections: ['new'] });
    one.meter.invocation({ ...record, totalMs: 4, code: 'response-timeout' });
    other.meter.invocation({ ...record, totalMs: 400, connection: 'resumed' });
    other.meter.diagnosis({ totalMs: 1, verdict: 'access-granted' });
    other.meter.refreshFailed('platform');
    other.requestRejected('413');
    const ended = await addEnded(await addEnded([], await other.snapshot()), await other.snapshot());
    const text = await expose([await one.snapshot(), ended]);
    for (const line of [
      'countersign_calls_total{outcome="answered"} 3',
      'countersign_calls_total{outcome="response-timeout"} 1',
      'countersign_connections_total{kind="new"} 1',
      'countersign_connections_total{kind="reused"} 1',
      'countersign_connections_total{kind="resumed"} 2',
      'countersign_call_duration_seconds_bucket{le="0.005"} 2',
      'countersign_call_duration_seconds_count 4',
      'countersign_diagnoses_total{verdict="access-granted"} 2',
      'countersign_identity_refresh_failures_total{identity="platform"} 2',
      'countersign_refused_requests_total{code="413"} 2',
      'countersign_calls_in_flight 3',
      'countersign_inbound_connections 5',
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
  });

  it('tell of every identity in the folder, used or not, usable or not', async () => {
    const folder = privateFolder().path;
    const day = 86_400_000;
    let now = Date.now();
    writeIdentity(folder, 'sound', newIdentity(), []);
    const notAfter = new Date(now + 10 * day);
    writeIdentity(
      folder,
      'short',
      authorities.platformIssuer.issue({ commonName: 'short', usage: 'client', notAfter }),
      [],
    );
    writeIdentity(folder, 'broken', { ...newIdentity(), privateKey: newIdentity().privateKey }, []);
    const inspection = createIdentityInspection({ folder, now: () => now });
    onTestFinished(inspection.close);
    await inspection.inspect();
    const lines = async () =>
      (await expose([await inspection.snapshot()])).split('\n').filter((line) => line.includes('{'));
    expect(await lines()).toEqual([
      'countersign_identity_usable{identity="broken"} 0',
      'countersign_identity_usable{identity="short"} 1',
      'countersign_identity_usable{identity="sound"} 1',
      expect.stringMatching(/^countersign_identity_days_to_expiry\{identity="short"\} (10|9\.99)$/),
      expect.stringMatching(/^countersign_identity_days_to_expiry\{identity="sound"\} 36[45]/),
    ]);
    now += 11 * day;
    expect(await lines()).toContain('countersign_identity_usable{identity="short"} 0');
  });
});
