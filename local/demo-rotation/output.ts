// The output of `npm run demo:rotation`.
import type { Paint } from '../../cli/output.ts';
import type { BusEvent } from '../event-bus/event.ts';

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

export function certificateLine(which: 'before' | 'after', { fingerprint256, validTo }: Client, paint: Paint): string {
  const text = `SHA-256 ${fingerprint256.slice(0, 23)}…`;
  return `  ${which.padEnd(6)}  ${paint('bold', text)}  ${paint('dim', `valid to ${validTo.slice(0, 10)}`)}`;
}

/** A completed step with the events that it published. */
export function stepLine(step: string, tookMs: number, events: readonly BusEvent[], paint: Paint): string {
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

export function callCount(calls: number, failed: number): string {
  return `${calls.toLocaleString('en-US')} calls, ${failed.toLocaleString('en-US')} failed`;
}
