// Runs the inspection against a local Secrets Manager with the SDK and a clock of the test, and returns its log lines.
import { CreateSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { onTestFinished, vi } from 'vitest';
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import { type InspectionOptions, inspectIdentities } from '../../../core/inspection/inspect.ts';
import { secretList } from '../../../core/versions/secret-list.ts';
import { startServer } from '../local-secrets-manager/local-server.ts';

export const prefix = 'countersign/identities/';
export const day = 86_400_000;
/** A day ahead: the certificates of the test authorities are valid from a day before the real time. */
export const now = Math.floor(Date.now() / day) * day + day;

export type Line = Readonly<Record<string, unknown>> & {
  readonly _aws?: { readonly CloudWatchMetrics: readonly { Dimensions: string[][]; Metrics: { Name: string }[] }[] };
};

export interface Store {
  readonly client: SecretsManagerClient;
  readonly url: string;
  put(name: string, document: object | string): Promise<{ readonly VersionId?: string | undefined }>;
}

/** The SDK's own settings lead there until the test ends. */
export function useStore(url: string): void {
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', url);
  onTestFinished(() => void vi.unstubAllEnvs());
}

export async function openStore(): Promise<Store> {
  const { server, client } = await startServer(undefined, { now });
  useStore(server.url);
  return {
    client,
    url: server.url,
    put: (name, document) =>
      client.send(
        new CreateSecretCommand({
          Name: prefix + name,
          SecretString: typeof document === 'string' ? document : JSON.stringify(document),
        }),
      ),
  };
}

export async function inspect(options: Partial<InspectionOptions> = {}): Promise<readonly Line[]> {
  const lines: Line[] = [];
  await inspectIdentities({
    telemetry: { write: (line) => lines.push(JSON.parse(line) as Line) },
    secrets: secretList(prefix),
    source: secretsManagerSource({ prefix }),
    now,
    remainingMs: () => 300_000,
    requestId: 'r-1',
    ...options,
  });
  return lines;
}

export function lineOf(lines: readonly Line[], identity: string): Line | undefined {
  return lines.find((line) => line.message === 'identity inspected' && line.identity === identity);
}

export function lastOf(lines: readonly Line[]): Line {
  return lines.at(-1) as Line;
}
