// The settings of cdk.json and `-c`: a wrong value stops the synth with its key.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootConstruct } from 'constructs';
import { describe, expect, it } from 'vitest';
import { readStackSettings, type StackSettings } from '../../infra/settings.ts';

function read(context: Record<string, unknown>): StackSettings {
  const { node } = new RootConstruct();
  for (const [key, value] of Object.entries(context)) node.setContext(key, value);
  return readStackSettings(node);
}

describe('the settings of the stack', () => {
  it.each([
    ['countersign:stackName', '1st', 'countersign:stackName'],
    ['countersign:stackName', 'x'.repeat(41), 'countersign:stackName'],
    ['countersign:stackName', 'default', 'countersign:stackName must not be default'],
    ['countersign:secretPrefix', 'all/*', 'countersign:secretPrefix may'],
    ['countersign:identityTtlSeconds', 0, 'countersign:identityTtlSeconds must'],
    ['countersign:docsUrl', 'docs', 'countersign:docsUrl must'],
    ['countersign:callers', ['*'], 'countersign:callers'],
    ['countersign:callers', ['platform', 'platform'], 'countersign:callers'],
    ['countersign:callers', 'platform,Acme', 'countersign:callers'],
    ['countersign:api', 'websocket', 'countersign:api must be http, rest or private'],
    ['countersign:api', 'private', 'countersign:apiEndpointIds and countersign:api=private need each other'],
    ['countersign:apiEndpointIds', 'vpce-0a1b2c3d', 'countersign:apiEndpointIds and countersign:api=private'],
    ['countersign:apiEndpointIds', 'vpc-0a1b2c3d', 'countersign:apiEndpointIds must'],
    ['countersign:apiLogsRole', 'no', 'countersign:apiLogsRole must'],
    ['countersign:existingSecrets', 'Acme', 'countersign:existingSecrets must'],
    ['countersign:existingSecrets', ['acme', 'acme'], 'countersign:existingSecrets must'],
    ['countersign:existingSecrets', '[{"identity":"acme","keyArn":"alias/acme"}]', 'countersign:existingSecrets must'],
    ['countersign:existingSecrets', [{ identity: 'acme', key: 'x' }], 'countersign:existingSecrets must'],
    ['countersign:existingSecrets', '[', 'countersign:existingSecrets must be JSON'],
    ['countersign:memoryMb', 64, 'countersign:memoryMb'],
    ['countersign:memoryMb', '1e3', 'countersign:memoryMb'],
    ['countersign:reservedConcurrency', 0, 'countersign:reservedConcurrency'],
    ['countersign:throttleRate', 'fast', 'countersign:throttleRate'],
    ['countersign:throttleBurst', -1, 'countersign:throttleBurst'],
    ['countersign:logRetentionDays', 91, 'countersign:logRetentionDays'],
    ['countersign:logRetentionDays', 9999, 'countersign:logRetentionDays'],
    ['countersign:subnetIds', ['subnet-0a1b2c3d'], 'countersign:securityGroupIds'],
    ['countersign:subnetIds', 'vpc-0a1b', 'countersign:subnetIds'],
    ['countersign:securityGroupIds', 'sg-0a1b2c3d', 'countersign:subnetIds'],
  ])('reject %s = %j', (key, value, named) => {
    expect(() => read({ [key]: value })).toThrow(named);
  });

  it.each(['countersign:memoryMB', 'countersign:subnetId', 'countersign:'])('reject %s by its name', (key) => {
    expect(() => read({ [key]: null })).toThrow(`${key} is not a setting; there are countersign: stackName, `);
  });

  it('ignore the keys of other tools', () => {
    expect(read({ 'acme:memoryMB': 64 })).toEqual(read({}));
  });

  it('that are invalid end the synth with one sentence, without a stack', () => {
    const context = JSON.stringify({ 'countersign:memoryMB': 1769 });
    const child = spawnSync(join('node_modules', '.bin', 'node'), ['infra/app.ts'], {
      env: { ...process.env, CDK_CONTEXT_JSON: context },
      encoding: 'utf8',
    });
    expect(child.status).toBe(1);
    expect(child.stderr).toMatch(/^countersign:memoryMB is not a setting; [^\n]+\.\n$/);
  });

  it('are the same without cdk.json as with it', () => {
    const file = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
    expect(read({})).toEqual(read(file.context));
  });

  it('can be text from the command line', () => {
    const settings = read({
      'countersign:callers': 'platform,acme-bank',
      'countersign:memoryMb': '1769',
      'countersign:reservedConcurrency': '50',
      'countersign:logRetentionDays': '365',
      'countersign:api': 'private',
      'countersign:apiEndpointIds': 'vpce-0a1b2c3d,vpce-0123456789abcdef0',
      'countersign:apiLogsRole': 'false',
      'countersign:existingSecrets': 'platform,acme-bank',
      'countersign:subnetIds': 'subnet-0a1b2c3d,subnet-0123456789abcdef0',
      'countersign:securityGroupIds': 'sg-4e5f6a7b',
    });
    expect(settings).toMatchObject({
      network: { subnetIds: ['subnet-0a1b2c3d', 'subnet-0123456789abcdef0'], securityGroupIds: ['sg-4e5f6a7b'] },
      callers: ['platform', 'acme-bank'],
      memoryMb: 1769,
      reservedConcurrency: 50,
      logRetention: 365,
      api: 'private',
      apiEndpointIds: ['vpce-0a1b2c3d', 'vpce-0123456789abcdef0'],
      apiLogsRole: false,
      existingSecrets: [
        { identity: 'platform', keyArn: undefined },
        { identity: 'acme-bank', keyArn: undefined },
      ],
    });
  });

  it('are all in cdk.json', () => {
    const file = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
    const keys = Object.keys(file.context).filter((key) => key.startsWith('countersign:'));
    const source = readFileSync('infra/settings.ts', 'utf8');
    const readKeys = [...source.matchAll(/\b(?:text|value|whole)\('(\w+)'[,)]/g)].map(
      ([, key]) => `countersign:${key}`,
    );
    expect(keys.sort()).toEqual([...new Set(readKeys)].sort());
  });

  it('are all in docs/deploy.md, with the same default', () => {
    const file = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
    const expected = Object.entries(file.context)
      .filter(([key]) => key.startsWith('countersign:'))
      .map(([key, value]) => `| \`${key}\` | \`${typeof value === 'string' ? value : JSON.stringify(value)}\` |`);
    const documented = readFileSync('docs/deploy.md', 'utf8').match(/^\| `countersign:\w+` \| `[^`]*` \|/gm);
    expect(documented).toEqual(expected);
  });
});

describe('the rotations', () => {
  const authority =
    'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012';
  const monthly = { identity: 'platform', schedule: 'rate(30 days)' };

  it.each([
    ['no JSON', '{', 'countersign:rotations must be JSON'],
    ['no list', { platform: 'rate(30 days)' }, 'countersign:rotations must be a list'],
    ['a list of names', ['platform'], 'countersign:rotations must be a list'],
    ['another key', [{ ...monthly, onRejection: 'proceed' }], 'countersign:rotations has no "onRejection"'],
    ['no name', [{ schedule: 'rate(30 days)' }], 'identity must be'],
    ['a name that none can have', [{ ...monthly, identity: 'Acme' }], 'identity must be'],
    ['a name twice', [monthly, monthly], 'may name an identity once'],
    ['no schedule', [{ identity: 'platform' }], 'schedule of platform must be'],
    [
      'days alone',
      [{ ...monthly, schedule: '30 days' }],
      'platform: The ScheduleExpression must be a rate() or a cron()',
    ],
    ['minutes', [{ ...monthly, schedule: 'rate(30 minutes)' }], 'platform: The ScheduleExpression must be'],
    ['three hours', [{ ...monthly, schedule: 'rate(3 hours)' }], 'platform: A secret can be rotated every 4 hours'],
    [
      'a cron that names a minute',
      [{ ...monthly, schedule: 'cron(30 3 1 * ? *)' }],
      'platform: A cron() expression has',
    ],
    ['words in a cron', [{ ...monthly, schedule: 'cron(0 xyz garbage here)' }], 'platform: A cron() expression has'],
    ['a misspelt month', [{ ...monthly, schedule: 'cron(0 3 1 XYZ ? *)' }], 'platform: A field of the cron()'],
    ['30 February', [{ ...monthly, schedule: 'cron(0 3 30 2 ? *)' }], 'platform: The ScheduleExpression names a day'],
    ['two days of a kind', [{ ...monthly, schedule: 'cron(0 3 1 * MON *)' }], 'platform: Of Day-of-month and'],
    ['hours too close', [{ ...monthly, schedule: 'cron(0 1,3 1 * ? *)' }], 'platform: A secret can be rotated every 4'],
    ['1000 days', [{ ...monthly, schedule: 'rate(1000 days)' }], 'platform: The rate must be from 1 to 999 days'],
    ['a window of a day and an hour', [{ ...monthly, window: '25h' }], 'platform: The Duration must be from 1h to 24h'],
    ['a window of minutes', [{ ...monthly, window: '90m' }], 'platform: The Duration must be from 1h to 24h'],
    ['a window that is a number', [{ ...monthly, window: 3 }], 'window of platform must be text'],
    [
      'a window longer than the hours between',
      [{ ...monthly, schedule: 'rate(4 hours)', window: '5h' }],
      'platform: The rotation window',
    ],
    [
      'a window over midnight',
      [{ ...monthly, schedule: 'cron(0 22 1 * ? *)', window: '3h' }],
      'platform: The rotation window',
    ],
    ['a renewal without an issuer', [{ ...monthly, renewal: {} }], 'renewal of platform must have an issuer'],
    [
      'a password',
      [{ ...monthly, renewal: { issuer: { kind: 'est', password: 'swordfish' } } }],
      'password of platform would be readable',
    ],
    [
      'a key',
      [{ ...monthly, renewal: { issuer: { kind: 'step-ca', provisionerKey: 'swordfish' } } }],
      'provisionerKey of platform would be readable',
    ],
    [
      'the passphrase of a key',
      [{ ...monthly, renewal: { issuer: { kind: 'step-ca', provisionerPassword: 'swordfish' } } }],
      'provisionerPassword of platform would be readable',
    ],
    [
      'a password whose name is misspelt',
      [{ ...monthly, renewal: { issuer: { kind: 'est', Passwort: 'x', passwd: 'swordfish' } } }],
      'Passwort of platform would be readable',
    ],
    [
      'a password in an address',
      [{ ...monthly, renewal: { issuer: { kind: 'est', url: 'https://countersign:swordfish@est.example' } } }],
      'url of platform would be readable',
    ],
    [
      'a key among the roots',
      [{ ...monthly, renewal: { issuer: { kind: 'est', roots: '-----BEGIN PRIVATE KEY-----' } } }],
      'roots of platform would be readable',
    ],
    [
      'an authority that the function may not ask',
      [{ ...monthly, renewal: { issuer: { kind: 'aws-private-ca', certificateAuthorityArn: authority } } }],
      'the authority of platform must be in countersign:privateCas',
    ],
    [
      'more than a function has room for',
      [{ ...monthly, renewal: { issuer: { kind: 'est', roots: 'x'.repeat(3_000) } } }],
      'may hold 3000 bytes',
    ],
  ])('reject %s', (_, rotations, sentence) => {
    expect(() => read({ 'countersign:rotations': rotations })).toThrow(sentence);
    expect(() => read({ 'countersign:rotations': rotations })).not.toThrow('swordfish');
  });

  it.each([
    ['rate(1 day)', '24h'],
    ['rate(999 days)', undefined],
    ['rate(4 hours)', '4h'],
    ['rate(2000 hours)', undefined],
    ['cron(0 3 1 * ? *)', '3h'],
    ['cron(0 0 ? * SUN#2 *)', '24h'],
    ['cron(0 3 29 2 ? *)', undefined],
    ['cron(0 8/8 * * ? *)', '8h'],
  ])('can have the schedule %s with the window %s', (schedule, window) => {
    const rotation = { identity: 'platform', schedule, ...(window === undefined ? {} : { window }) };
    expect(read({ 'countersign:rotations': [rotation] }).rotations).toMatchObject([{ schedule, window }]);
  });

  it('can be JSON from the command line, with the authorities and the topic', () => {
    const settings = read({
      'countersign:rotations': JSON.stringify([
        { ...monthly, renewal: { issuer: { kind: 'aws-private-ca', certificateAuthorityArn: authority } } },
      ]),
      'countersign:privateCas': authority,
      'countersign:alarmTopicArn': 'arn:aws:sns:eu-central-1:111122223333:night',
    });
    expect(settings).toMatchObject({
      rotations: [{ ...monthly, renewal: { issuer: { kind: 'aws-private-ca' } } }],
      privateAuthorities: [authority],
      alarmTopicArn: 'arn:aws:sns:eu-central-1:111122223333:night',
    });
  });

  it.each([
    ['countersign:privateCas', '*'],
    ['countersign:privateCas', 'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/*'],
    ['countersign:alarmTopicArn', 'night'],
    ['countersign:alarmTopicArn', 'arn:aws:sns:eu-central-1:111122223333:night.fifo'],
  ])('are rejected with %s = %s', (key, value) => {
    expect(() => read({ [key]: value })).toThrow(key);
  });
});
