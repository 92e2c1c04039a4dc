// A process of its own: the rotation function's story, its steps as Secrets Manager asks for them, each key of the kind that is asked for.
import { setTimeout } from 'node:timers/promises';
import { openIssuer } from '../../core/issuers/open-issuer.ts';
import { createRotate } from '../../core/rotation/rotate.ts';
import { noTelemetry } from '../../core/telemetry/telemetry.ts';
import { openVersions } from '../../core/versions/versions.ts';
import { wallClock } from './clock.ts';

export interface AskedStep {
  readonly event: object;
  readonly keyAlgorithm: string;
}

export interface DoneStep {
  readonly failure?: string;
  /** Milliseconds since 1970: when AWSCURRENT was moved. */
  readonly switchedAt?: number;
}

const [prefix = '', authorityUrl = ''] = process.argv.slice(2);
const stored = openVersions({ prefix });
let switchedAt: number | undefined;
const versions: typeof stored = {
  ...stored,
  async moveStage(secretId, stage, move) {
    const outcome = await stored.moveStage(secretId, stage, move);
    if (stage === 'AWSCURRENT' && outcome === 'moved') switchedAt = wallClock();
    return outcome;
  },
};

process.on('message', async ({ event, keyAlgorithm }: AskedStep) => {
  switchedAt = undefined;
  const renewal = { issuer: { kind: 'local', url: authorityUrl }, keyAlgorithm };
  const rotate = createRotate({
    telemetry: noTelemetry,
    prefix,
    versions,
    openIssuer,
    events: { publish: async () => {} },
    now: Date.now,
    sleep: (ms) => setTimeout(ms),
    renewals: { platform: renewal },
  });
  try {
    await rotate(event, { requestId: 'bench', remainingMs: 60_000 });
    process.send?.({ ...(switchedAt === undefined ? {} : { switchedAt }) } satisfies DoneStep);
  } catch (error) {
    process.send?.({ failure: error instanceof Error ? error.message : String(error) } satisfies DoneStep);
  }
});
process.send?.('ready');
