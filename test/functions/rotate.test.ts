// The deployed handler: what it throws, and what Lambda logs of it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { rotationFailure } from '../../functions/rotate.ts';
import { openPipeline } from '../support/rotation/rotation-pipeline.ts';

it('throws one sentence and the code, without stack and cause', () => {
  const error = new CountersignError('issuer-refused', 'The issuer refused.', {
    cause: new Error('s3cr3t'),
    evidence: { reason: 's3cr3t' },
  });
  const failure = rotationFailure(error);
  expect(failure.message).toBe('The issuer refused. (issuer-refused)');
  expect(failure.stack).toBe('RotationFailure: The issuer refused. (issuer-refused)');
  expect(Reflect.ownKeys(failure).sort()).toEqual(['message', 'name', 'stack']);
});

const handler = join(import.meta.dirname, '../../functions/rotate.ts');

async function startFunction(env: NodeJS.ProcessEnv) {
  const child = fork(new URL('../support/rotation/step-process.ts', import.meta.url), [handler], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      ...env,
    },
  });
  onTestFinished(async () => {
    const ended = once(child, 'exit');
    if (child.kill('SIGKILL')) await ended;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  return { child, output: () => output };
}

it('fails a step after it has written its log line', async () => {
  const pipeline = await openPipeline();
  const renewals = { platform: { issuer: { kind: 'local', url: pipeline.authority.url }, reuseKey: 'pa55word' } };
  await pipeline.create('platform', undefined);
  const event = await pipeline.rotateSecret('platform');
  const { child, output } = await startFunction({
    AWS_ENDPOINT_URL_SECRETS_MANAGER: pipeline.secretsUrl,
    COUNTERSIGN_RENEWALS: JSON.stringify(renewals),
  });
  await once(child, 'message');
  const answered = once(child, 'message');
  child.send({ Step: 'createSecret', ...event });
  const [{ failure }] = await answered;
  expect(failure).toMatch(/^renewal: reuseKey must be true or false\. \(renewal-unusable\)\nRotationFailure: /);
  const line = JSON.parse(output().split('\n')[0] ?? '');
  expect(line).toMatchObject({
    level: 'WARN',
    message: 'rotation',
    identity: 'platform',
    step: 'createSecret',
    code: 'renewal-unusable',
  });
  expect(output() + failure).not.toContain('pa55word');
});

it('does not call a local authority on Lambda, where the runtime listens on loopback', async () => {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document());
  const event = await pipeline.rotateSecret('platform');
  const { child } = await startFunction({
    AWS_ENDPOINT_URL_SECRETS_MANAGER: pipeline.secretsUrl,
    AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
  });
  await once(child, 'message');
  const answered = once(child, 'message');
  child.send({ Step: 'createSecret', ...event });
  const [{ failure }] = await answered;
  expect(failure).toMatch(
    /^renewal: issuer\.kind local is for the local cloud, not for Lambda\. \(renewal-unusable\)\n/,
  );
  expect(pipeline.authority.signed).toBe(0);
});

it.each([
  ['COUNTERSIGN_RENEWALS', '{"platform": pa55word', 'must be JSON'],
  ['COUNTERSIGN_RENEWALS', '["pa55word"]', 'must be a JSON object'],
  ['COUNTERSIGN_RENEWALS', '{"Platform/..": {}}', 'must give an object for each name'],
  ['COUNTERSIGN_RENEWALS', '{"platform": "pa55word"}', 'must give an object for each name'],
  ['COUNTERSIGN_EVENT_BUS', 'no bus at all', 'must be the name or the ARN'],
])('does not start with %s=%s', async (name, value, words) => {
  const { child, output } = await startFunction({ [name]: value });
  await once(child, 'exit');
  expect(output()).toContain(`${name} ${words}`);
  expect(output()).not.toContain('pa55word');
});
