// Gives a test its own Secrets Manager in a folder of its own, with the real SDK to talk to it, and cleans up after it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { onTestFinished } from 'vitest';
import {
  type SecretsManager,
  type SecretsManagerOptions,
  startSecretsManager,
} from '../../../local/secrets-manager/server.ts';

export const startOfTime = Date.UTC(2026, 0, 15, 10, 30);
export const day = 86_400_000;

/** Any credentials will do: signatures are not verified. */
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' };

/** A clock that a test sets; it stands still otherwise. */
export interface Clock {
  now: number;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function startServer(
  folder = temporaryFolder(),
  clock: Clock = { now: startOfTime },
  more: Partial<SecretsManagerOptions> = {},
): Promise<{ server: SecretsManager; client: SecretsManagerClient; folder: string; clock: Clock }> {
  const server = await startSecretsManager({ folder, port: 0, now: () => clock.now, ...more });
  onTestFinished(() => server.close());
  return { server, client: clientOf(server.url), folder, clock };
}

export function clientOf(endpoint: string): SecretsManagerClient {
  const client = new SecretsManagerClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

/** What an SDK sends, for the requests that no SDK would send; a header that is null is left out. */
export function post(
  url: string,
  action: string,
  body: unknown,
  headers: Record<string, string | null> = {},
): Promise<Response> {
  const all: Record<string, string | null> = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `secretsmanager.${action}`,
    'x-amz-date': '20260115T103000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260115/us-east-1/secretsmanager/aws4_request, ' +
      `SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=${'0'.repeat(64)}`,
    ...headers,
  };
  const present = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  return fetch(url, { method: 'POST', headers: present, body: typeof body === 'string' ? body : JSON.stringify(body) });
}

/** The name and the message of the error, as AWS writes them. */
export async function errorOf(response: Response): Promise<{ status: number; name: string; message: string }> {
  const { __type: name, Message: message } = (await response.json()) as { __type: string; Message: string };
  return { status: response.status, name, message };
}
