// Runs the rotation demo: rotates the platform's certificate while callers call two customers, and prints the result.
import { setTimeout as wait } from 'node:timers/promises';
import { RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Paint } from '../../cli/output.ts';
import { startCloud } from '../cloud.ts';
import { healthyHost, pinningHost } from '../demo-api/hosts.ts';
import type { RunningHost } from '../demo-api/server.ts';
import { type Answered, callThroughGateway, invocationOf } from '../demo-call.ts';
import type { BusEvent } from '../event-bus/event.ts';
import { localCredentials, localRegion } from '../gateway/functions.ts';
import { startLoad } from '../load-generator.ts';
import { untilTested } from '../rotation.ts';

export interface DemoOptions {
  /** For the state of the local cloud. */
  readonly folder: string;
  readonly print: (line: string) => void;
  /** Rewrites the last line of the terminal. */
  readonly progress: (text: string) => void;
  readonly paint: Paint;
  readonly signal: AbortSignal;
}

const callersPerHost = 4;
/** Between two calls of a caller: bots do not call in a closed loop. */
const pauseMs = 10;
/** Deployed functions have 60. */
const identityTtlSeconds = 1;
/** Calls before and after the rotation. */
const calmMs = 1_500;
/** Far longer than a rotation takes here. */
const rotationTimeoutMs = 30_000;
const progressMs = 100;

const freePorts = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };

/** @returns whether the demo succeeded. Throws an Error of one sentence, or the reason of the signal when it aborts. */
export async function demonstrate({ folder, print, progress, paint, signal }: DemoOptions): Promise<boolean> {
  /** Before, Secrets Manager tests the schedule. */
  let hasBegun = false;
  let hasFinished = false;
  let printedEvents = 0;
  let failure: unknown;
  const cloud = await startCloud({
    folder,
    ports: freePorts,
    identityTtlSeconds,
    onFailure(_function, reason) {
      failure ??= reason;
    },
    onStep(step, tookMs) {
      if (!hasBegun) return;
      const events = cloud.events.slice(printedEvents);
      printedEvents = cloud.events.length;
      print(stepLine(step, tookMs, events, paint));
      hasFinished ||= step === 'finishSecret';
    },
  });
  const { hosts, secretId, secretsManagerUrl, gatewayUrl } = cloud;
  const called = hosts.filter(({ host }) => host === healthyHost || host === pinningHost);
  const load = startLoad({
    callers: callersPerHost * called.length,
    call: (caller) => callHost(gatewayUrl, called[caller % called.length] as RunningHost),
    pauseMs,
  });
  const failures = () => load.results.flatMap((result) => (result.failure === undefined ? [] : [result.failure]));
  const drawing = setInterval(() => progress(`  ${callCount(load.results.length, failures().length)}`), progressMs);
  const client = new SecretsManagerClient({
    endpoint: secretsManagerUrl,
    region: localRegion,
    credentials: localCredentials,
  });
  try {
    print("Bots call two customers without a pause; one of them pins today's certificate.");
    print('');
    await untilTested(client, secretId, signal);
    await wait(calmMs, undefined, { signal });
    const before = clientAt(healthyHost);
    const openBefore = openWith(before);
    print(certificateLine('before', before, paint));
    print('');
    print(`  ${paint('dim', `aws secretsmanager rotate-secret --secret-id ${secretId}`)}`);
    print('');
    hasBegun = true;
    await client.send(new RotateSecretCommand({ SecretId: secretId }));
    await until(() => isSwitched(before) && hasFinished);
    print('');
    print(certificateLine('after', clientAt(healthyHost), paint));
    print('');
    await wait(calmMs, undefined, { signal });
    await load.stop();
    const result: DemoResult = {
      before,
      after: clientAt(healthyHost),
      pinning: clientAt(pinningHost),
      open: { before: openBefore, after: openWith(before) },
      calls: load.results.length,
      failed: failures().length,
      firstFailure: failures()[0],
      events: cloud.events.map((event) => event['detail-type']),
    };
    for (const line of resultLines(result, { healthy: healthyHost, pinning: pinningHost }, paint)) print(line);
    return isSuccess(result);
  } finally {
    clearInterval(drawing);
    client.destroy();
    await load.stop();
    await cloud.close();
  }

  function clientAt(host: string) {
    const presented = load.results.findLast((result) => result.host === host && result.client)?.client;
    if (presented) return presented;
    throw new Error(`No call to ${host} got a response: ${failures()[0] ?? 'it takes too long'}.`);
  }

  function openWith({ fingerprint256 }: { readonly fingerprint256: string }): number {
    return cloud.openConnections(healthyHost, fingerprint256);
  }

  /**
   * The healthy host gets the new certificate and has no connection with the old one; the pinning host gets
   * AWSPREVIOUS.
   */
  function isSwitched(before: { readonly fingerprint256: string }): boolean {
    if (failure !== undefined) throw failure instanceof Error ? failure : new Error(String(failure));
    const isNew = clientAt(healthyHost).fingerprint256 !== before.fingerprint256 && openWith(before) === 0;
    return isNew && clientAt(pinningHost).stage === 'AWSPREVIOUS';
  }

  /** After the timeout too, the result shows what is missing. */
  async function until(condition: () => boolean): Promise<void> {
    const giveUpAt = performance.now() + rotationTimeoutMs;
    while (!condition() && performance.now() < giveUpAt) await wait(20, undefined, { signal });
  }
}

interface DemoCall {
  readonly host: string;
  /** What the call presented; undefined if it failed. */
  readonly client?: Answered['handshake']['client'];
  /** One line. */
  readonly failure?: string;
}

async function callHost(gatewayUrl: string, running: RunningHost): Promise<DemoCall> {
  const { host } = running;
  try {
    const result = await callThroughGateway(gatewayUrl, invocationOf(running));
    if ('failed' in result) return { host, failure: `${host}: ${result.failed.code}, ${result.failed.detail}` };
    const { status, handshake } = result.answered;
    return { host, client: handshake.client, ...(status === 200 ? {} : { failure: `${host}: HTTP ${status}` }) };
  } catch (error) {
    return { host, failure: `${host}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

interface Client {
  readonly fingerprint256: string;
  readonly validTo: string;
  readonly stage: string;
}

export interface DemoResult {
  readonly before: Client;
  readonly after: Client;
  /** The last certificate presented to the customer that pins. */
  readonly pinning: Client;
  /** Open connections with the old certificate. */
  readonly open: { readonly before: number; readonly after: number };
  readonly calls: number;
  readonly failed: number;
  readonly firstFailure: string | undefined;
  /** Detail types in the order of the events. */
  readonly events: readonly string[];
}

/** Whether the demo ends with exit code 0. */
export function isSuccess({ before, after, pinning, open, calls, failed, events }: DemoResult): boolean {
  return (
    failed === 0 &&
    calls > 0 &&
    after.fingerprint256 !== before.fingerprint256 &&
    after.stage === 'AWSCURRENT' &&
    pinning.fingerprint256 === before.fingerprint256 &&
    pinning.stage === 'AWSPREVIOUS' &&
    open.before > 0 &&
    open.after === 0 &&
    events.join() === 'Certificate Pending,Certificate Rejected,Certificate Activated'
  );
}

function certificateLine(which: 'before' | 'after', { fingerprint256, validTo }: Client, paint: Paint): string {
  const text = `SHA-256 ${fingerprint256.slice(0, 23)}…`;
  return `  ${which.padEnd(6)}  ${paint('bold', text)}  ${paint('dim', `valid to ${validTo.slice(0, 10)}`)}`;
}

/** A completed step with the events that it published. */
function stepLine(step: string, tookMs: number, events: readonly BusEvent[], paint: Paint): string {
  const published = events.map((event) => `  event "${event['detail-type']}"${rejectedBy(event)}`).join('');
  return `  ${paint('green', '✓')} ${step.padEnd(12)} ${`${Math.round(tookMs)} ms`.padStart(7)}${published}`;
}

function rejectedBy({ detail }: BusEvent): string {
  const { rejectedBy: places } = detail as { rejectedBy?: readonly { host: string; port: number; step: number }[] };
  return places ? ` by ${places.map(({ host, step }) => `${host} at step ${step}`).join(', ')}` : '';
}

export function resultLines(result: DemoResult, hosts: { healthy: string; pinning: string }, paint: Paint): string[] {
  const { before, after, pinning, open, calls, failed, firstFailure } = result;
  const which = ({ fingerprint256, stage }: Client) =>
    `${fingerprint256 === before.fingerprint256 ? 'the old' : 'the new'} certificate, ${stage}`;
  const width = Math.max(hosts.healthy.length, hosts.pinning.length);
  return [
    `  ${hosts.healthy.padEnd(width)}  ${which(after).padEnd(33)}  open connections with the old one: ${open.before} → ${open.after}`,
    `  ${hosts.pinning.padEnd(width)}  ${which(pinning).padEnd(33)}  trusts only the old one`,
    '',
    `  ${isSuccess(result) ? paint('green', '✓') : paint('red', '✗')} ${paint('bold', callCount(calls, failed))}`,
    ...(firstFailure === undefined ? [] : [`    ${firstFailure}`]),
  ];
}

function callCount(calls: number, failed: number): string {
  return `${calls.toLocaleString('en-US')} calls, ${failed.toLocaleString('en-US')} failed`;
}
