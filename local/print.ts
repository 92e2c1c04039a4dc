// The output of the local cloud: addresses, a call, the table of failing hosts, commands to try.

import type { Paint } from '../cli/output.ts';
import { escapeForTerminal } from '../core/escape-for-terminal.ts';
import type { Cloud } from './cloud.ts';
import type { RunningHost } from './demo-api/server.ts';
import { type DemoCallResult, type Failed, invocationOf, invocationPath } from './demo-call.ts';
import type { FailedStep } from './rotation.ts';

export function places(cloud: Cloud, folder: string | undefined, paint: Paint): string[] {
  const [first] = cloud.hosts;
  const rows = [
    ['gateway', cloud.gatewayUrl, 'the functions that are deployed, without IAM'],
    ['secrets manager', cloud.secretsManagerUrl, 'for the SDK and the AWS CLI'],
    ['authority', new URL(cloud.authorityUrl).origin, "signs the platform's next certificate"],
    ['event bus', cloud.eventBusUrl, 'what rotations announce'],
    ['demo API', `https://${first?.host}:${first?.port}`, 'demands a client certificate'],
    ['', portsOf(cloud.hosts), 'one host for each way to fail'],
    ['state', folder ?? 'a temporary folder', 'private to you'],
    ...(folder ? [['log of the functions', cloud.logFile, 'of this run; the one before: functions.log.1']] : []),
  ];
  return columns(rows).map(
    ([what, where, why]) => `  ${what}  ${paint('bold', where ?? '')}  ${paint('dim', why ?? '')}`,
  );
}

function portsOf(hosts: readonly RunningHost[]): string {
  const ports = hosts.map(({ port }) => port);
  const [first = 0, last = 0] = [ports[0], ports.at(-1)];
  return last - first === ports.length - 1 ? `ports ${first} to ${last}` : `and ${ports.length - 1} other ports`;
}

/**
 * One call. The diagnosis shows the five steps. TLS does not report when each of the steps 2 to 5 ends, so they share
 * one time.
 */
export function callLines(result: DemoCallResult, paint: Paint): string[] {
  if ('failed' in result) return failedLines(result.failed, paint);
  const { handshake, timings, status, body } = result.answered;
  const { protocol, cipher, connection, client } = handshake;
  const isGranted = status === 200;
  return [
    `  ${isGranted ? paint('green', '✓') : paint('red', '✗')} HTTP ${status}  ${paint('bold', body)}`,
    ...[
      `${protocol}, ${cipher}, ${connection} connection, as SHA-256 ${client.fingerprint256.slice(0, 23)}…, ${client.stage}`,
      `name ${ms(timings.dnsMs)}, TCP ${ms(timings.connectMs)}, TLS ${ms(timings.tlsMs)}, first byte ${ms(timings.firstByteMs)}, ${ms(timings.totalMs)} in all`,
    ].map((fact) => `    ${paint('dim', fact)}`),
  ];
}

function failedLines({ code, step, detail, hint }: Failed, paint: Paint): string[] {
  const where = step === undefined ? '' : `step ${step}  `;
  return [`  ${paint('red', '✗')} ${where}${paint('red', code)}: ${detail}`, `    ${hint}`];
}

/** `reason` is the error of the rotation function: one sentence and its code in brackets (functions/rotate.ts). */
export function failedStepLine({ identity, step }: FailedStep, reason: unknown): string {
  const message = reason instanceof Error ? reason.message : String(reason);
  const [, detail = message, code] = /^(.*) \(([a-z-]+)\)$/s.exec(message) ?? [];
  return escapeForTerminal(`${[identity, step, ...(code === undefined ? [] : [code])].join(', ')}: ${detail}`);
}

export interface HostOutcome {
  readonly host: RunningHost;
  readonly code: string;
  readonly step: number | undefined;
  readonly isExpected: boolean;
}

export function outcomeTable(outcomes: readonly HostOutcome[], paint: Paint): string[] {
  const rows = outcomes.map(({ host, code, step }) => [`step ${step ?? '–'}`, code, host.host]);
  return columns(rows).map(([step, code, host], index) => {
    const isExpected = outcomes[index]?.isExpected;
    return `  ${isExpected ? paint('green', '✓') : paint('red', '✗')} ${step}  ${code}  ${paint('dim', host ?? '')}`;
  });
}

/** Commands for another terminal, without placeholders. */
export function linesToTry(cloud: Cloud, paint: Paint): string[] {
  const aws = `AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws secretsmanager --region us-east-1`;
  const lines: [string, string][] = [
    ...cloud.hosts.map((host): [string, string] => [
      host.expected
        ? `${host.expected.code}, step ${host.expected.step}: a host that ${host.does}`
        : `access granted: a host that ${host.does}`,
      `curl -s ${cloud.gatewayUrl}${invocationPath()} -H content-type:application/json -d '${JSON.stringify(invocationOf(host))}'`,
    ]),
    [
      'a diagnosis of a host that rejects us',
      diagnoseLine(cloud, addressOf(cloud.hosts.find(({ behaviour }) => behaviour.kind === 'rejecting'))),
    ],
    ['the certificates that a customer must trust', `curl -s ${cloud.gatewayUrl}/v1/identities/platform/certificate`],
    [
      "the platform's certificate replaced",
      `${aws} rotate-secret --secret-id ${cloud.secretId} --endpoint-url ${cloud.secretsManagerUrl}`,
    ],
    ['the identities', `${aws} list-secrets --endpoint-url ${cloud.secretsManagerUrl}`],
  ];
  return lines.flatMap(([why, line]) => [paint('dim', `  # ${why}`), `  ${line}`]);
}

/** The command that diagnoses a host; it names the gateway unless that is on the default port. */
export function diagnoseLine(cloud: Cloud, url: string): string {
  const api = cloud.gatewayUrl.endsWith(':8080') ? '' : ` --api ${cloud.gatewayUrl}`;
  return `npm run diagnose -- ${url}${api}`;
}

function addressOf(host: RunningHost | undefined): string {
  return host ? `https://${host.host}:${host.port}` : '';
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

/** Pads every column but the last to its widest cell. */
function columns(rows: readonly (readonly string[])[]): string[][] {
  const widths = rows.reduce<number[]>(
    (sofar, row) => row.map((cell, at) => Math.max(sofar[at] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) => row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))));
}
