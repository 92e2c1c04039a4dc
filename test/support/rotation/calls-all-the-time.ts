// A platform that is never quiet: calls through the function's own story while the store rotates its identity and the clock runs ahead.
import { CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { expect, onTestFinished, vi } from 'vitest';
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { startServer } from '../local-secrets-manager/local-server.ts';
import { type Authorities, documentOf, openStage, type Reply } from '../stage.ts';

const prefix = 'countersign/identities/';
export const ttlMs = 60_000;

export interface Traffic {
  /** A new AWSCURRENT; what was current is AWSPREVIOUS. The functions see it once their time to live has passed. */
  rotate(client: IssuedCertificate): Promise<void>;
  /** The clock of the platform. */
  goAhead(ms: number): void;
  /** Resolves when so many more calls have been answered, and the last of them as `stage`. */
  answered(calls: number, stage: 'AWSCURRENT' | 'AWSPREVIOUS'): Promise<void>;
  /** Ends the calls; resolves with the replies that are not the API's 200, and how often each stage was presented. */
  end(): Promise<{ failed: Reply[]; calls: number; stages: Readonly<Record<string, number>> }>;
}

export interface TrafficOptions {
  readonly authorities: Authorities;
  readonly port: number;
  readonly first: IssuedCertificate;
  readonly atOnce: number;
  /** The n-th call. */
  readonly request: (n: number) => object;
}

/** Goes on until `end`. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const { authorities, port, first, atOnce, request } = options;
  const { server, client } = await startServer();
  for (const [name, value] of Object.entries({
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: server.url,
  })) {
    vi.stubEnv(name, value);
  }
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const serverRoots = authorities.customerRoot.certificate;
  const document = (issued: IssuedCertificate) =>
    documentOf(issued, [{ host: 'api.acme.example', port, network: 'loopback', serverRoots }]);
  const Name = `${prefix}platform`;
  await client.send(new CreateSecretCommand({ Name, SecretString: document(first) }));

  let aheadMs = 0;
  const stage = openStage({
    source: secretsManagerSource({ prefix }),
    ttlMs,
    now: () => Date.now() + aheadMs,
    lookup: async () => [{ address: '127.0.0.1' }],
  });
  onTestFinished(async () => {
    stage.close();
    await expect.poll(() => stage.pool.openConnections, { timeout: 5_000 }).toBe(0);
  });

  const failed: Reply[] = [];
  const stages: Record<string, number> = {};
  let calls = 0;
  let last = '';
  let isOver = false;
  const callers = Array.from({ length: atOnce }, async () => {
    while (!isOver) {
      const n = ++calls;
      const url = `https://api.acme.example:${port}/${n}`;
      const reply = await stage.invoke({ url, timeoutMs: 20_000, ...request(n) });
      if (reply.body.status !== 200) failed.push(reply);
      last = reply.body.handshake?.client.stage ?? '';
      stages[last] = (stages[last] ?? 0) + 1;
    }
  });
  onTestFinished(() => {
    isOver = true;
  });
  const answers = () => Object.values(stages).reduce((sum, count) => sum + count, 0);

  return {
    async rotate(issued) {
      await client.send(new PutSecretValueCommand({ SecretId: Name, SecretString: document(issued) }));
    },
    goAhead(ms) {
      aheadMs += ms;
    },
    async answered(count, wanted) {
      const enough = answers() + count;
      const seen = () => (failed.length > 0 ? 'a failed call' : answers() >= enough ? last : 'too few');
      await expect.poll(seen, { timeout: 20_000, interval: 5 }).toBe(wanted);
    },
    async end() {
      isOver = true;
      await Promise.all(callers);
      return { failed, calls, stages };
    },
  };
}
