// The real handler with a Secrets Manager: its requests during init, and its behaviour when the store changes or fails.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { expect, it, onTestFinished } from 'vitest';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient } from '../../support/connections/platform.ts';
import { privateFolder } from '../../support/program.ts';
import { createAuthorities, documentOf, invocationEvent } from '../../support/stage.ts';

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
const secretName = 'countersign/identities/platform';

/** The local Secrets Manager, and in front of it a door that notes what it is asked and can be shut. */
async function startStore() {
  const secrets = await startSecretsManager({ folder: privateFolder().path, port: 0 });
  const asked: string[] = [];
  const state = { asked, isShut: false };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const target = String(request.headers['x-amz-target']);
    asked.push(`${target.split('.')[1]} ${JSON.parse(body).SecretId}`);
    const type = { 'content-type': 'application/x-amz-json-1.1' };
    if (state.isShut) return response.writeHead(400, type).end('{"__type":"AccessDeniedException","Message":"No."}');
    const signed = Object.entries(request.headers).filter(([name]) => /^(x-amz-.*|authorization)$/.test(name));
    const headers = { ...type, ...(Object.fromEntries(signed) as Record<string, string>) };
    const answer = await fetch(secrets.url, { method: 'POST', headers, body });
    return response.writeHead(answer.status, type).end(await answer.text());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new SecretsManagerClient({ endpoint: secrets.url, region: 'us-east-1', credentials });
  onTestFinished(async () => {
    client.destroy();
    server.closeAllConnections();
    server.close();
    await secrets.close();
  });
  return { state, client, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function startFunction(storeUrl: string) {
  const child = fork(new URL('../../support/invocation/handler-process.ts', import.meta.url), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: storeUrl,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      COUNTERSIGN_IDENTITY_TTL_SECONDS: '1',
    },
  });
  onTestFinished(async () => {
    const ended = once(child, 'exit');
    if (child.kill('SIGKILL')) await ended;
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'message');
  return {
    async call(request: object) {
      const answered = once(child, 'message');
      child.send(invocationEvent(request, 'platform'));
      const [{ body }] = await answered;
      return JSON.parse(body);
    },
    lines: () =>
      output
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

it('the function reads the identity during init, closes the connections of replaced versions, and logs new versions and failed reads', async () => {
  const authorities = createAuthorities();
  const api = await startApi(authorities);
  const document = () => documentOf(newClient(authorities), [destinationAt(api, authorities, { host: 'localhost' })]);
  const store = await startStore();
  const first = await store.client.send(new CreateSecretCommand({ Name: secretName, SecretString: document() }));

  const deployed = await startFunction(store.url);
  expect(store.state.asked).toEqual([`GetSecretValue ${secretName}`]);

  const call = () => deployed.call({ url: `https://localhost:${api.port}/` });
  expect(await call()).toMatchObject({ handshake: { client: { version: first.VersionId } } });
  expect(api.openSockets).toBe(1);

  const put = new PutSecretValueCommand({ SecretId: secretName, SecretString: document() });
  const second = await store.client.send(put);
  const versionInUse = async () => (await call()).handshake.client.version;
  await expect.poll(versionInUse, { timeout: 10_000, interval: 100 }).toBe(second.VersionId);
  expect(api.connections).toHaveLength(2);
  await expect.poll(() => api.openSockets, { timeout: 5_000 }).toBe(1);
  expect(deployed.lines()).toContainEqual(
    expect.objectContaining({ message: 'identity taken up', identity: 'platform', version: second.VersionId }),
  );

  store.state.isShut = true;
  const failures = async () => {
    expect(await versionInUse()).toBe(second.VersionId);
    return deployed.lines().filter((line) => 'IdentityRefreshFailures' in line);
  };
  await expect.poll(failures, { timeout: 10_000, interval: 100 }).not.toHaveLength(0);
  expect((await failures())[0]).toMatchObject({ identity: 'platform', code: 'identity-unavailable' });
});
