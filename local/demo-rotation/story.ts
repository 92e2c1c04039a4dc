// The demo of a rotation from its start to its end: calls flow, the certificate is replaced, and what became of everybody is told.
import { setTimeout as wait } from 'node:timers/promises';
import { RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Paint } from '../../cli/output.ts';
import { startCloud } from '../cloud.ts';
import { healthyHost, pinningHost } from '../demo-api/hosts.ts';
import { localCredentials, localRegion } from '../gateway/functions.ts';
import { untilTested } from '../rotation.ts';
import { startLoad } from './load.ts';
import { callCount, certificateLine, isAsItShouldBe, outcomeLines, type Shown, stepLine } from './text.ts';

export interface DemoOptions {
  /** Of the state. */
  readonly folder: string;
  readonly print: (line: string) => void;
  /** The line that is written over and over while calls flow. */
  readonly progress: (text: string) => void;
  readonly paint: Paint;
  readonly signal: AbortSignal;
}

/** To each of the two hosts. */
const callers = 4;
/** The functions ask for a new version after this time; as they are deployed, after 60 s. */
const identityTtlSeconds = 1;
/** How long calls flow before and after. */
const calmMs = 1_500;
/** Far above what a rotation takes here; each retry after a failure is waited for no longer. */
const patienceMs = 30_000;
const progressMs = 100;

const freePorts = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };

/** @returns whether all went as it should. Throws a one-sentence Error; the signal's reason when that aborts. */
export async function demonstrate({ folder, print, progress, paint, signal }: DemoOptions): Promise<boolean> {
  /** Before that, Secrets Manager tests the schedule. */
  let isBegun = false;
  let told = 0;
  let failure: unknown;
  const cloud = await startCloud({
    folder,
    ports: freePorts,
    identityTtlSeconds,
    onFailure(_function, reason) {
      failure ??= reason;
    },
    onStep(step, tookMs) {
      if (!isBegun) return;
      const events = cloud.events.slice(told);
      told = cloud.events.length;
      print(stepLine(step, tookMs, events, paint));
    },
  });
  const { hosts, secretId, secretsManagerUrl, gatewayUrl } = cloud;
  const called = hosts.filter(({ host }) => host === healthyHost || host === pinningHost);
  const load = startLoad(gatewayUrl, called, callers);
  const drawing = setInterval(() => progress(`  ${callCount(load.calls, load.failed)}`), progressMs);
  const client = new SecretsManagerClient({
    endpoint: secretsManagerUrl,
    region: localRegion,
    credentials: localCredentials,
  });
  try {
    print('Bots call two customers all the time; one of the two trusts only the certificate of today.');
    print('');
    await untilTested(client, secretId, signal);
    await wait(calmMs, undefined, { signal });
    const before = clientAt(healthyHost);
    const openBefore = openWith(before);
    print(certificateLine('before', before, paint));
    print('');
    print(`  ${paint('dim', `aws secretsmanager rotate-secret --secret-id ${secretId}`)}`);
    print('');
    isBegun = true;
    await client.send(new RotateSecretCommand({ SecretId: secretId }));
    await until(() => isSwitched(before));
    print('');
    print(certificateLine('after', clientAt(healthyHost), paint));
    print('');
    await wait(calmMs, undefined, { signal });
    await load.stop();
    const shown: Shown = {
      before,
      after: clientAt(healthyHost),
      pinning: clientAt(pinningHost),
      open: { before: openBefore, after: openWith(before) },
      calls: load.calls,
      failed: load.failed,
      firstFailure: load.firstFailure,
      events: cloud.events.map((event) => event['detail-type']),
    };
    for (const line of outcomeLines(shown, { healthy: healthyHost, pinning: pinningHost }, paint)) print(line);
    return isAsItShouldBe(shown);
  } finally {
    clearInterval(drawing);
    client.destroy();
    await load.stop();
    await cloud.close();
  }

  function clientAt(host: string) {
    const presented = load.clientAt(host);
    if (presented) return presented;
    throw new Error(`No call of ${host} was answered: ${load.firstFailure ?? 'it takes too long'}.`);
  }

  function openWith({ fingerprint256 }: { readonly fingerprint256: string }): number {
    return cloud.openConnections(healthyHost, fingerprint256);
  }

  /** The one has the new certificate and nothing left of the old one, the other has come to AWSPREVIOUS. */
  function isSwitched(before: { readonly fingerprint256: string }): boolean {
    if (failure !== undefined) throw failure instanceof Error ? failure : new Error(String(failure));
    const isNew = clientAt(healthyHost).fingerprint256 !== before.fingerprint256 && openWith(before) === 0;
    return isNew && clientAt(pinningHost).stage === 'AWSPREVIOUS';
  }

  /** What has not come by then is told by the lines at the end. */
  async function until(isSo: () => boolean): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    while (!isSo() && performance.now() < giveUpAt) await wait(20, undefined, { signal });
  }
}
