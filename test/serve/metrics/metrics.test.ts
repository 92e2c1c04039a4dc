import { describe, expect, it, onTestFinished } from 'vitest';
import { newRecord } from '../../../core/telemetry/invocation-record.ts';
import { createIdentityInspection } from '../../../serve/metrics/identity-inspection.ts';
import { addEnded, createServeMetrics, expose } from '../../../serve/metrics/metrics.ts';
import { privateFolder } from '../../support/program.ts';
import { authorities, newIdentity } from '../../support/serve/installation.ts';
import { writeIdentity } from '../../support/serve/serving.ts';

describe('metrics', () => {
  it('are counted from records, and summed over running and ended processes', async () => {
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

  it('include every identity in the folder, in use or not, usable or not', async () => {
    const folder = privateFolder().path;
    const day = 86_400_000;
    let now = Date.now();
    writeIdentity(folder, 'usable', newIdentity(), []);
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
      'countersign_identity_usable{identity="usable"} 1',
      expect.stringMatching(/^countersign_identity_days_to_expiry\{identity="short"\} (10|9\.99)$/),
      expect.stringMatching(/^countersign_identity_days_to_expiry\{identity="usable"\} 36[45]/),
    ]);
    now += 11 * day;
    expect(await lines()).toContain('countersign_identity_usable{identity="short"} 0');
  });
});
