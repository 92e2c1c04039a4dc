// Whatever a body holds, the answer is AWS's: a result or an error that names what is wrong with the request.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { post, startServer } from '../../support/local-secrets-manager/local-server.ts';

const actions = [
  'BatchGetSecretValue',
  'CreateSecret',
  'DeleteSecret',
  'DescribeSecret',
  'GetRandomPassword',
  'GetSecretValue',
  'ListSecretVersionIds',
  'ListSecrets',
  'PutSecretValue',
  'RestoreSecret',
  'TagResource',
  'UntagResource',
  'UpdateSecret',
  'UpdateSecretVersionStage',
];
const token = fc.constantFrom('0'.repeat(32), '1'.repeat(32), 'short');
const id = fc.constantFrom('a', 'b', 'arn:aws:secretsmanager:us-east-1:000000000000:secret:a', '', '__proto__');
const stage = fc.constantFrom('AWSCURRENT', 'AWSPREVIOUS', 'AWSPENDING', 'x');
const text = fc.string({ unit: 'binary', maxLength: 20 });
/** Fields as they should be, so that requests get far; each may be missing, or be anything at all. */
const fields: Record<string, fc.Arbitrary<unknown>> = {
  Name: id,
  SecretId: id,
  SecretIdList: fc.array(id, { maxLength: 3 }),
  ClientRequestToken: token,
  SecretString: text,
  SecretBinary: fc.base64String({ maxLength: 20 }),
  VersionId: token,
  VersionStage: stage,
  VersionStages: fc.array(stage, { maxLength: 3 }),
  MoveToVersionId: token,
  RemoveFromVersionId: token,
  Description: text,
  KmsKeyId: text,
  Tags: fc.array(fc.record({ Key: text, Value: text }, { requiredKeys: [] }), { maxLength: 3 }),
  TagKeys: fc.array(text, { maxLength: 3 }),
  Filters: fc.array(fc.record({ Key: fc.constantFrom('name', 'all', 'x'), Values: fc.array(text) })),
  MaxResults: fc.integer({ min: 0, max: 101 }),
  NextToken: text,
  PasswordLength: fc.integer({ min: -1, max: 5000 }),
  ExcludeCharacters: text,
  RecoveryWindowInDays: fc.integer({ min: 0, max: 40 }),
  ForceDeleteWithoutRecovery: fc.boolean(),
  IncludePlannedDeletion: fc.boolean(),
};
const body = fc.record(
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, fc.oneof({ weight: 9, arbitrary: field }, fc.jsonValue())]),
  ),
  { requiredKeys: [] },
);

it('no request ends in an internal error, and what came through is still there after a restart', async () => {
  const { server, client, folder } = await startServer();
  client.destroy();
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...actions), body, async (action, fieldsOfIt) => {
      // An id and a token are in nearly every request, or few would get past their absence.
      const whole = { Name: 'a', SecretId: 'a', ClientRequestToken: '0'.repeat(32), ...fieldsOfIt };
      const response = await post(server.url, action, whole);
      const answer = (await response.json()) as { __type?: string };
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      expect([200, 400]).toContain(response.status);
      expect(answer.__type).not.toBe('InternalServiceError');
    }),
    { numRuns: 600 },
  );
  expect([...statuses.keys()].sort()).toEqual([200, 400]);
  const before = await (await post(server.url, 'ListSecrets', { IncludePlannedDeletion: true })).json();
  await server.close();
  const { server: later } = await startServer(folder);
  expect(await (await post(later.url, 'ListSecrets', { IncludePlannedDeletion: true })).json()).toEqual(before);
});
