// Which requests the local Secrets Manager accepts, and its errors for all others.
import { request } from 'node:http';
import { connect } from 'node:net';
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import {
  clientOf,
  errorOf,
  post,
  startServer,
  temporaryFolder,
} from '../../support/local-secrets-manager/local-server.ts';

const signature = '0'.repeat(64);
const credential = 'Credential=AKID/20260115/us-east-1/secretsmanager/aws4_request';

describe('a request', () => {
  it.each([
    ['of an unknown operation', 'RotateSecrets', '{}', {}, 400, 'UnknownOperationException'],
    ['of an operation that is not offered here', 'PutResourcePolicy', '{}', {}, 400, 'UnknownOperationException'],
    ['of what every object has', 'constructor', '{}', {}, 400, 'UnknownOperationException'],
    ['without a target', 'x', '{}', { 'x-amz-target': null }, 400, 'UnknownOperationException'],
    [
      'to another service',
      'x',
      '{}',
      { 'x-amz-target': 'DynamoDB_20120810.GetItem' },
      400,
      'UnknownOperationException',
    ],
    ['with a body that is not JSON', 'ListSecrets', '{"MaxResults": 1', {}, 400, 'SerializationException'],
    ['without a body', 'ListSecrets', '', {}, 400, 'SerializationException'],
    ['with a list for a body', 'ListSecrets', '[]', {}, 400, 'SerializationException'],
    ['with null for a body', 'ListSecrets', 'null', {}, 400, 'SerializationException'],
    ['with too large a body', 'ListSecrets', ' '.repeat(1024 * 1024 + 1), {}, 413, 'RequestEntityTooLargeException'],
    [
      'of another content type',
      'ListSecrets',
      '{}',
      { 'content-type': 'text/plain' },
      415,
      'UnknownOperationException',
    ],
    ['of a web page', 'ListSecrets', '{}', { origin: 'http://127.0.0.1:8080' }, 403, 'AccessDeniedException'],
    [
      'of a web page that hides its origin',
      'ListSecrets',
      '{}',
      { 'sec-fetch-site': 'none' },
      403,
      'AccessDeniedException',
    ],
    ['without a signature', 'ListSecrets', '{}', { authorization: null }, 400, 'MissingAuthenticationTokenException'],
    ['with a bearer token', 'ListSecrets', '{}', { authorization: 'Bearer x' }, 400, 'IncompleteSignatureException'],
    ['without a date', 'ListSecrets', '{}', { 'x-amz-date': null }, 400, 'IncompleteSignatureException'],
    [
      'signed for another service',
      'ListSecrets',
      '{}',
      {
        authorization: `AWS4-HMAC-SHA256 ${credential.replace('secretsmanager', 's3')}, SignedHeaders=host, Signature=${signature}`,
      },
      400,
      'IncompleteSignatureException',
    ],
    [
      'with half a signature',
      'ListSecrets',
      '{}',
      { authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=00` },
      400,
      'IncompleteSignatureException',
    ],
  ] as const)('%s is refused', async (_case, action, body, headers, status, name) => {
    const { server } = await startServer();
    const response = await post(server.url, action, body, headers);
    expect(response.headers.get('x-amzn-errortype')).toBe(name);
    expect(response.headers.get('content-type')).toBe('application/x-amz-json-1.1');
    expect(await errorOf(response)).toMatchObject({ status, name, message: expect.stringMatching(/\.$|Token$/) });
    // The connection and the server go on.
    expect((await post(server.url, 'ListSecrets', {})).status).toBe(200);
  });

  it('says which parts of its signature are missing, and repeats none', async () => {
    const { server } = await startServer();
    const authorization = 'AWS4-HMAC-SHA256 Credential=AKID/hunter2';
    const { message } = await errorOf(await post(server.url, 'ListSecrets', {}, { authorization }));
    for (const part of ['Credential', 'SignedHeaders', 'Signature']) expect(message).toContain(`'${part}'`);
    expect(message).not.toContain('hunter2');
  });

  it('to another path or by another method is refused', async () => {
    const { server } = await startServer();
    expect((await fetch(`${server.url}/state`, { method: 'POST' })).status).toBe(404);
    const get = await fetch(server.url);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    const preflight = await fetch(server.url, { method: 'OPTIONS', headers: { origin: 'https://page.example' } });
    expect(preflight.status).toBe(405);
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  it.each([
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example', 403],
    ['10.0.0.1', 403],
    ['localhost', 400],
    ['LOCALHOST:4566', 400],
    ['127.0.0.2:80', 400],
    ['[::1]:80', 400],
    ['secrets.localhost:80', 400],
    ['::1', 403],
  ])('for the host %s is accepted or rejected as documented', async (host, status) => {
    const { server } = await startServer();
    const answered = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${server.url}/`, { method: 'POST', headers: { host } }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      sent.once('error', reject).setHeader('content-type', 'application/x-amz-json-1.1').end('{}');
    });
    expect(answered).toBe(status);
  });
});

describe('the server', () => {
  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', 'api.localhost'])('does not listen on %s', async (host) => {
    const start = startSecretsManager({ folder: temporaryFolder(), port: 0, host });
    await expect(start).rejects.toThrow(/^The Secrets Manager listens on loopback only/);
  });

  it('reports a taken port and releases the folder', async () => {
    const { server } = await startServer();
    const folder = temporaryFolder();
    const port = Number(new URL(server.url).port);
    await expect(startSecretsManager({ folder, port })).rejects.toThrow(
      `Port ${port}, which Secrets Manager needs, is in use: stop the program that uses it, or choose another with --secrets-port.`,
    );
    await startServer(folder);
  });

  it('listens on IPv6 loopback when asked (needs IPv6 on loopback)', async (context) => {
    const server = await startSecretsManager({ folder: temporaryFolder(), port: 0, host: '::1' }).catch(
      () => undefined,
    );
    if (!server) return context.skip('this machine has no IPv6 loopback');
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    await clientOf(server.url).send(new CreateSecretCommand({ Name: 'a' }));
    await server.close();
  });

  it('closes although a client keeps a connection open with half a request', async () => {
    const { server } = await startServer();
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.write('POST / HTTP/1.1\r\nHost: localhost\r\n', () => resolve()));
    await server.close();
    await server.close();
    await ended;
    await expect(fetch(server.url)).rejects.toThrow();
  });

  it('finishes the calls it has begun before it closes', async () => {
    const { server, client, folder } = await startServer();
    const calls = Array.from({ length: 20 }, (_, n) =>
      client.send(new CreateSecretCommand({ Name: `s${n}`, SecretString: `S${n}` })).then(
        () => n,
        () => undefined,
      ),
    );
    await calls[0];
    await server.close();
    const acknowledged = (await Promise.all(calls)).filter((n) => n !== undefined);
    expect(acknowledged).toContain(0);
    const { client: later } = await startServer(folder);
    for (const n of acknowledged) {
      const read = await later.send(new GetSecretValueCommand({ SecretId: `s${n}` }));
      expect(read.SecretString).toBe(`S${n}`);
    }
  });
});
