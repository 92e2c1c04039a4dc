// Calls without a pause through the invocation use case, while the store rotates the identity and the test moves the
// clock.
import { CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { expect, onTestFinished, vi } from 'vitest';
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { startLoad } from '../../../local/load-generator.ts';
import { startServer } from '../local-secrets-manager/local-server.ts';
import { type Authorities, documentOf, openStage, type Reply } from '../stage.ts';

const prefix = 'countersign/identities/';
export const ttlMs = 60_000;

export interface Traffic {
  /** Stores a new AWSCURRENT; the old one becomes AWSPREVIOUS. Calls use it after the time to live. */
  rotate(client: IssuedCertificate): Promise<void>;
  /** Moves the clock of the platform. */
  goAhead(ms: number): void;
  /** Resolves when `calls` more calls have completed, the last of them with `stage`. */
  answered(calls: number, stage: 'AWSCURRENT' | 'AWSPREVIOUS'): Promise<void>;
  /** Stops the calls; resolves with the replies other than the API's 200, and how often each stage was presented. */
  end(): Promise<{ failed: Reply[]; calls: number; stages: Readonly<Record<string, number>> }>;
}

export interface TrafficOptions {
  readonly authorities: Authorities;
  readonly port: number;
  readonly first: IssuedCertificate;
  readonly atOnce: number;
  /** The body of the n-th call. */
  readonly request: (n: number) => object;
}

/** Calls until `end`. */
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

  const load = startLoad({
    callers: atOnce,
    call: (_, n) => stage.invoke({ url: `https://api.acme.example:${port}/${n}`, timeoutMs: 20_000, ...request(n) }),
  });
  onTestFinished(() => load.stop());
  const stageOf = (reply: Reply | undefined): string => reply?.body.handshake?.client.stage ?? '';
  const failed = () => load.results.filter(({ body }) => body.status !== 200);

  return {
    async rotate(issued) {
      await client.send(new PutSecretValueCommand({ SecretId: Name, SecretString: document(issued) }));
    },
    goAhead(ms) {
      aheadMs += ms;
    },
    async answered(count, wanted) {
      const enough = load.results.length + count;
      const seen = () => {
        if (failed().length > 0) return 'a failed call';
        return load.results.length >= enough ? stageOf(load.results.at(-1)) : 'too few';
      };
      await expect.poll(seen, { timeout: 20_000, interval: 5 }).toBe(wanted);
    },
    async end() {
      await load.stop();
      const stages = Object.groupBy(load.results, stageOf);
      return {
        failed: failed(),
        calls: load.results.length,
        stages: Object.fromEntries(Object.entries(stages).map(([stage, replies = []]) => [stage, replies.length])),
      };
    },
  };
}
