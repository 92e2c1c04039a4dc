// PutEvents of the real SDK and the AWS CLI against the local event bus: accepted, rejected and stored events.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  DescribeEventBusCommand,
  EventBridgeClient,
  PutEventsCommand,
  type PutEventsRequestEntry,
} from '@aws-sdk/client-eventbridge';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEventBus } from '../../../local/event-bus/server.ts';
import { findPeer } from '../../support/peers.ts';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' };
const entry = { Source: 'countersign', DetailType: 'Certificate Pending', Detail: '{"identity":"platform"}' };

async function startBus(file = join(temporaryFolder(), 'events.jsonl')) {
  const bus = await startEventBus({ file, port: 0, now: () => Date.UTC(2026, 0, 15, 10, 30, 0, 5) });
  onTestFinished(() => bus.close());
  const client = new EventBridgeClient({ endpoint: bus.url, region: 'us-east-1', credentials, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return {
    bus,
    client,
    file,
    put: (...Entries: PutEventsRequestEntry[]) => client.send(new PutEventsCommand({ Entries })),
  };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-events-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('an event', () => {
  it('is accepted, gets an id, and is stored as EventBridge delivers it', async () => {
    const { bus, file, put } = await startBus();
    const Time = new Date('2026-01-01T00:00:00Z');
    const busArn = 'arn:aws:events:us-east-1:000000000000:event-bus/certificates';
    const answer = await put({ ...entry, EventBusName: busArn, Resources: ['arn:x'], Time }, entry);
    expect(answer.FailedEntryCount).toBe(0);
    const [first, second] = answer.Entries?.map(({ EventId }) => EventId) ?? [];
    expect(bus.events).toEqual([
      {
        version: '0',
        id: first,
        'detail-type': 'Certificate Pending',
        source: 'countersign',
        account: '000000000000',
        time: '2026-01-01T00:00:00Z',
        region: 'us-east-1',
        resources: ['arn:x'],
        detail: { identity: 'platform' },
        bus: 'certificates',
      },
      expect.objectContaining({ id: second, time: '2026-01-15T10:30:00Z', resources: [], bus: 'default' }),
    ]);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual([first, second]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is still there after a restart, except for a truncated last line', async () => {
    const { bus, file, put } = await startBus();
    await put(entry);
    await bus.close();
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"version":"0","id":"cut`);
    const after = await startBus(file);
    expect(after.bus.events).toEqual(bus.events);
    await after.put(entry);
    await after.bus.close();
    expect((await startBus(file)).bus.events).toHaveLength(2);
  });

  it('is evicted by later ones, in memory and in the file', async () => {
    const { bus, file, put } = await startBus();
    const big = { ...entry, Detail: JSON.stringify({ filling: 'x'.repeat(50_000) }) };
    for (let count = 0; count < 6; count += 1) await put(...Array.from({ length: 10 }, () => big));
    for (let count = 0; count < 120; count += 1) await put(...Array.from({ length: 10 }, () => entry));
    expect(bus.events).toHaveLength(1000);
    // 3 MB were written that are kept no longer.
    expect(statSync(file).size).toBeLessThan(2_000_000);
    await bus.close();
    expect((await startBus(file)).bus.events).toEqual(bus.events);
  });

  it('that is invalid in the file stops the start with one sentence and leaves the file', async () => {
    const file = join(temporaryFolder(), 'events.jsonl');
    writeFileSync(file, '{"version":"0"}\n');
    await expect(startEventBus({ file, port: 0 })).rejects.toThrow(/^Line 1 of the file .* is not an event: delete/);
    expect(readFileSync(file, 'utf8')).toBe('{"version":"0"}\n');
  });
});

describe('an invalid entry does not affect the others', () => {
  it.each<[string, PutEventsRequestEntry, string]>([
    ['without a source', { DetailType: 't', Detail: '{}' }, 'InvalidArgument'],
    ['without a detail type', { Source: 's', Detail: '{}' }, 'InvalidArgument'],
    ['without a detail', { Source: 's', DetailType: 't' }, 'InvalidArgument'],
    ['with a detail that is not JSON', { ...entry, Detail: '{hunter2' }, 'MalformedDetail'],
    ['with a detail that is a list', { ...entry, Detail: '["hunter2"]' }, 'MalformedDetail'],
    ['with a detail too deep', { ...entry, Detail: `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}` }, 'MalformedDetail'],
    ['with a detail type too long', { ...entry, DetailType: 'x'.repeat(129) }, 'InvalidArgument'],
    ['with no name of a bus', { ...entry, EventBusName: 'no bus' }, 'InvalidArgument'],
    ["with a source of AWS's own", { ...entry, Source: 'aws.ec2' }, 'NotAuthorizedForSourceException'],
  ])('%s', async (_case, bad, code) => {
    const { bus, put } = await startBus();
    const answer = await put(bad, entry);
    expect(answer.FailedEntryCount).toBe(1);
    expect(answer.Entries).toMatchObject([{ ErrorCode: code }, { EventId: bus.events[0]?.id }]);
    expect(answer.Entries?.[0]?.ErrorMessage).not.toContain('hunter2');
    expect(bus.events).toHaveLength(1);
  });
});

describe('a request is refused', () => {
  it.each<[string, PutEventsRequestEntry[], RegExp]>([
    ['with no entry', [], /^1 validation error detected: Value at 'entries' .* greater than or equal to 1$/],
    ['with eleven', Array.from({ length: 11 }, () => entry), /^1 validation error .* less than or equal to 10$/],
    ['of 1 MB', [{ ...entry, Detail: JSON.stringify({ x: 'x'.repeat(1024 * 1024) }) }], /over the limit/],
    ['with no whole entry', [{ Source: 's' }, { Detail: '{}' }], /^No entry/],
  ])('%s', async (_case, Entries, words) => {
    const { bus, put } = await startBus();
    const error = await put(...Entries).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: 'ValidationException', message: expect.stringMatching(words) });
    expect(bus.events).toEqual([]);
  });

  it('for anything else, and for a service that is another one', async () => {
    const { bus, client } = await startBus();
    await expect(client.send(new DescribeEventBusCommand({}))).rejects.toMatchObject({
      name: 'UnknownOperationException',
    });
    const other = await fetch(bus.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AWSEvents.PutEvents' },
    });
    expect(other.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
    const page = await fetch(bus.url, { method: 'POST', headers: { origin: 'https://example.test' } });
    expect(page.status).toBe(403);
  });

  it('a port that is taken names the option for another', async () => {
    const { bus } = await startBus();
    const port = Number(new URL(bus.url).port);
    const file = join(temporaryFolder(), 'events.jsonl');
    await expect(startEventBus({ file, port })).rejects.toThrow(/the event bus needs.*--events-port/);
  });
});

const aws = findPeer('aws');

it.skipIf(!aws)('the AWS CLI puts an event (needs the AWS CLI)', { timeout: 60_000 }, async () => {
  const { bus } = await startBus();
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: '/nonexistent',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'example',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const args = ['--endpoint-url', bus.url, '--output', 'json', 'events', 'put-events', '--entries'];
  const { stdout } = await promisify(execFile)(aws as string, [...args, JSON.stringify([entry])], { env });
  expect(JSON.parse(stdout)).toEqual({ FailedEntryCount: 0, Entries: [{ EventId: bus.events[0]?.id }] });
});
