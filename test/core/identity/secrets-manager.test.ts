// Every response of Secrets Manager, and no response, over HTTP with the real SDK: one code each, without secrets.
import type { ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { problemResponse } from '../../../core/api.ts';
import type { Stage } from '../../../core/identity/identity.ts';
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { type StoreServer, send, sendError, startStore } from '../../support/identity/store-server.ts';

let server: StoreServer | undefined;

beforeEach(() => {
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  server = undefined;
});

async function read(
  answer: (response: ServerResponse, count: number) => void,
  stage: Stage = 'AWSCURRENT',
  attemptTimeoutMs = 2_000,
) {
  server = await startStore(answer);
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', server.url);
  return secretsManagerSource({ prefix: 'countersign/identities/', attemptTimeoutMs }).read('platform', stage);
}

const secret = { Name: 'n', VersionId: 'v-1', SecretString: '{"a":1}', VersionStages: ['AWSCURRENT'] };

describe('Secrets Manager responds', () => {
  it('with the secret, asked for by its name and stage', async () => {
    let asked = '';
    server = await startStore((response, _, request) => {
      asked = request.headers['x-amz-target'] as string;
      send(response, 200, secret);
    });
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', server.url);
    const stored = await secretsManagerSource({ prefix: 'p/' }).read('platform', 'AWSPREVIOUS');
    expect(asked).toBe('secretsmanager.GetSecretValue');
    expect(stored).toEqual({ version: 'v-1', stage: 'AWSPREVIOUS', document: '{"a":1}' });
  });

  it.each([
    [
      400,
      'ResourceNotFoundException',
      "Secrets Manager can't find the specified secret.",
      'identity-not-found',
      /has no secret/,
    ],
    [
      400,
      'ResourceNotFoundException',
      "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
      'identity-not-found',
      /no value at stage AWSPENDING/,
    ],
    [
      400,
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was marked for deletion.",
      'identity-not-found',
      /scheduled for deletion/,
    ],
    [400, 'InvalidRequestException', 'Something else.', 'identity-unavailable', /could not be asked/],
    [400, 'InvalidParameterException', 'Something.', 'identity-unavailable', /could not be asked/],
    [400, 'AccessDeniedException', 'User arn:aws:… is not authorized', 'identity-unavailable', /denied access/],
    [400, 'DecryptionFailure', 'No key.', 'identity-unavailable', /cannot decrypt/],
    [400, 'UnrecognizedClientException', 'Bad token.', 'identity-unavailable', /does not accept the AWS credentials/],
  ])('%i %s (%s)', async (status, name, message, code, detail) => {
    const failure = await failureOf(() => read((response) => sendError(response, status, name, message), 'AWSPENDING'));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(detail);
    if (code === 'identity-unavailable') expect(failure.evidence?.reason).toBe(name);
    expect(failure.message).not.toContain('arn:');
    expect(server?.requests()).toBe(1);
  });

  it.each([
    ['AccessDeniedException', false],
    ['DecryptionFailure', false],
    ['UnrecognizedClientException', false],
    ['ExpiredTokenException', true],
    ['InvalidRequestException', true],
  ])('%s: retryable is %s', async (name, retryable) => {
    const failure = await failureOf(() => read((response) => sendError(response, 400, name)));
    expect(failure).toMatchObject({ code: 'identity-unavailable', retryable });
    const { headers, body } = problemResponse(failure, 'request-1', 'https://docs.example/');
    expect(JSON.parse(body)).toMatchObject({ status: 503, retryable });
    expect('retry-after' in headers).toBe(retryable);
  });

  it('names the permissions that are missing', async () => {
    const denied = await failureOf(() => read((response) => sendError(response, 400, 'AccessDeniedException')));
    expect(denied.hint).toContain('secretsmanager:GetSecretValue');
    expect(denied.hint).toContain('kms:Decrypt');
  });

  it.each([
    [400, 'ThrottlingException', 'ThrottlingException'],
    [500, 'InternalServiceError', 'InternalServiceError'],
    [503, 'ServiceUnavailable', 'ServiceUnavailable'],
  ])('%i %s three times, and gets no further request', async (status, name, reason) => {
    const failure = await failureOf(() => read((response) => sendError(response, status, name)));
    expect(failure.code).toBe('identity-unavailable');
    expect(failure.retryable).toBe(true);
    expect(failure.evidence?.reason).toBe(reason);
    expect(server?.requests()).toBe(3);
  });

  it('throttling once, and the call succeeds', async () => {
    const answer = (response: ServerResponse, count: number) =>
      count === 1 ? sendError(response, 400, 'ThrottlingException') : send(response, 200, secret);
    expect(await read(answer)).toMatchObject({ version: 'v-1' });
  });

  it('with a binary secret', async () => {
    const binary = { Name: 'n', VersionId: 'v', SecretBinary: Buffer.from('SECRET').toString('base64') };
    const failure = await failureOf(() => read((response) => send(response, 200, binary)));
    expect(failure.code).toBe('identity-unusable');
    expect(inspect(failure)).not.toContain('SECRET"');
  });

  it('with a version that has no value yet', async () => {
    const failure = await failureOf(() =>
      read((response) => send(response, 200, { Name: 'n', VersionId: 'v' }), 'AWSPENDING'),
    );
    expect(failure.code).toBe('identity-not-found');
    expect(failure.evidence).toEqual({ reason: 'no-version', stage: 'AWSPENDING' });
  });

  it.each(['{"SecretString":"SECRET-KEY', 'SECRET-KEY', '<html>SECRET-KEY</html>', '[]'])(
    'with invalid data, which is not quoted: %s',
    async (body) => {
      const failure = await failureOf(() => read((response) => send(response, 200, body)));
      expect(['identity-unavailable', 'identity-not-found']).toContain(failure.code);
      expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain('SECRET-KEY');
    },
  );
});

describe('Secrets Manager does not respond', () => {
  it('because nothing listens there', async () => {
    server = await startStore(() => {});
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', server.url);
    await server.close();
    const source = secretsManagerSource({ prefix: 'p/' });
    const failure = await failureOf(() => source.read('platform', 'AWSCURRENT'));
    expect(failure.code).toBe('identity-unavailable');
    expect(failure.evidence?.reason).toBe('ECONNREFUSED');
  });

  it('because it hangs: the read ends after three attempts', async () => {
    const failure = await failureOf(() => read(() => {}, 'AWSCURRENT', 200));
    expect(failure.code).toBe('identity-unavailable');
    expect(failure.message).toBe('Secrets Manager did not respond in time.');
    expect(failure.evidence?.reason).toBe('timeout');
    expect(server?.requests()).toBeLessThanOrEqual(3);
  });

  it('because it stalls in the middle of its response', async () => {
    const failure = await failureOf(() =>
      read(
        (response) => {
          response.writeHead(200, { 'content-length': 1_000 });
          response.write('{"SecretString":"SECRET-KEY');
        },
        'AWSCURRENT',
        200,
      ),
    );
    expect(failure.code).toBe('identity-unavailable');
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain('SECRET-KEY');
  });

  it('because the connection died while the function was frozen, and the call succeeds', async () => {
    server = await startStore((response, count) => {
      // The kept-alive connection is reset in the place of an answer, once.
      if (count === 2) response.socket?.resetAndDestroy();
      else send(response, 200, secret);
    });
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', server.url);
    const source = secretsManagerSource({ prefix: 'p/' });
    await source.read('platform', 'AWSCURRENT');
    expect(await source.read('platform', 'AWSCURRENT')).toMatchObject({ version: 'v-1' });
    expect(server.requests()).toBe(3);
  });

  it('because there are no credentials', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
    const failure = await failureOf(() => read((response) => send(response, 200, secret)));
    expect(failure.code).toBe('identity-unavailable');
    expect(failure.evidence?.reason).toBe('CredentialsProviderError');
  });

  it('because no region is set', async () => {
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_DEFAULT_REGION', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
    const failure = await failureOf(() => read((response) => send(response, 200, secret)));
    expect(failure.code).toBe('identity-unavailable');
    expect(failure.evidence?.reason).toBe('no-region');
    expect(failure.hint).toContain('AWS_REGION');
  });
});
