// The AWS CLI as a user types it, against the local Secrets Manager.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { startServer, temporaryFolder } from '../../support/local-secrets-manager/local-server.ts';
import { findPeer } from '../../support/peers.ts';

const aws = findPeer('aws');

describe.skipIf(!aws)('the AWS CLI (needs the AWS CLI)', () => {
  /** Version 1 writes seconds, version 2 a date. */
  const timeOf = (date: unknown) => new Date(typeof date === 'number' ? date * 1000 : String(date)).toISOString();

  async function cli(url: string, ...args: string[]): Promise<Record<string, unknown>> {
    const environment = {
      PATH: '/usr/bin:/bin',
      HOME: '/nonexistent',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'example',
      // Version 1 knows this name alone.
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_PAGER: '',
    };
    const { stdout } = await promisify(execFile)(
      aws as string,
      ['--endpoint-url', url, '--output', 'json', 'secretsmanager', ...args],
      { env: environment },
    );
    return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
  }

  it('creates, reads, rotates by hand, tags, lists and deletes a secret', { timeout: 120_000 }, async () => {
    const { server } = await startServer();
    const run = (...args: string[]) => cli(server.url, ...args);
    const id = ['--secret-id', 'prod/bot'];
    const created = await run('create-secret', '--name', 'prod/bot', '--secret-string', '{"user":"é"}');
    expect(created).toMatchObject({ Name: 'prod/bot', VersionId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const value = await run('get-secret-value', '--secret-id', String(created.ARN));
    expect(value).toMatchObject({ SecretString: '{"user":"é"}', VersionStages: ['AWSCURRENT'] });
    expect(timeOf(value.CreatedDate)).toMatch(/^2026-01-15T/);

    const file = join(temporaryFolder(), 'value');
    writeFileSync(file, Buffer.from([0, 1, 254, 255]));
    const put = await run(
      'put-secret-value',
      ...id,
      '--secret-binary',
      `fileb://${file}`,
      '--version-stages',
      'AWSPENDING',
    );
    const pending = await run('get-secret-value', ...id, '--version-stage', 'AWSPENDING');
    expect(pending.SecretBinary).toBe(Buffer.from([0, 1, 254, 255]).toString('base64'));
    const move = ['--move-to-version-id', String(put.VersionId), '--remove-from-version-id', String(created.VersionId)];
    await run('update-secret-version-stage', ...id, '--version-stage', 'AWSCURRENT', ...move);
    const { VersionIdsToStages } = await run('describe-secret', ...id);
    expect(VersionIdsToStages).toEqual({
      [String(created.VersionId)]: ['AWSPREVIOUS'],
      [String(put.VersionId)]: ['AWSCURRENT', 'AWSPENDING'],
    });

    await run('tag-resource', ...id, '--tags', 'Key=team,Value=egress');
    const { SecretList } = await run('list-secrets', '--filters', 'Key=tag-key,Values=team');
    expect(SecretList).toMatchObject([{ Name: 'prod/bot' }]);
    const { RandomPassword } = await run('get-random-password', '--password-length', '20', '--exclude-punctuation');
    expect(RandomPassword).toMatch(/^[A-Za-z0-9]{20}$/);
    await run('delete-secret', ...id, '--recovery-window-in-days', '7');
    await run('restore-secret', ...id);
    await run('delete-secret', ...id, '--force-delete-without-recovery');
  });

  it('sets up rotation, rotates, waits for a schedule and cancels', { timeout: 120_000 }, async () => {
    const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
    const steps: string[] = [];
    const rotationFunctions = (arn: string) =>
      arn === functionArn ? async ({ Step }: { Step: string }) => void steps.push(Step) : undefined;
    const { server } = await startServer(undefined, undefined, { rotationFunctions });
    const run = (...args: string[]) => cli(server.url, ...args);
    const id = ['--secret-id', 'prod/bot'];
    await run('create-secret', '--name', 'prod/bot', '--secret-string', '{}');
    const rules = ['--rotation-lambda-arn', functionArn, '--rotation-rules', 'ScheduleExpression=rate(10 days)'];
    expect(await run('rotate-secret', ...id, ...rules, '--no-rotate-immediately')).toMatchObject({ Name: 'prod/bot' });
    await vi.waitFor(() => expect(steps).toEqual(['testSecret']), 10_000);
    const described = await run('describe-secret', ...id);
    expect(described).toMatchObject({ RotationEnabled: true, RotationLambdaARN: functionArn });
    expect(timeOf(described.NextRotationDate)).toBe('2026-01-26T00:00:00.000Z');
    const { VersionId } = await run('rotate-secret', ...id);
    const { VersionIdsToStages } = await run('describe-secret', ...id);
    expect(VersionIdsToStages).toMatchObject({ [String(VersionId)]: ['AWSPENDING'] });
    await expect(run('rotate-secret', ...id)).rejects.toMatchObject({
      stderr: expect.stringContaining('(InvalidRequestException) when calling the RotateSecret operation: A previous'),
    });
    expect(await run('cancel-rotate-secret', ...id)).toMatchObject({ VersionId });
    expect(await run('describe-secret', ...id)).toMatchObject({ RotationEnabled: false });
  });

  it('names the error as AWS does', async () => {
    const { server } = await startServer();
    await expect(cli(server.url, 'get-secret-value', '--secret-id', 'none')).rejects.toMatchObject({
      stderr: expect.stringContaining(
        "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: Secrets Manager can't find the specified secret.",
      ),
    });
  });
});
