// An identity for people: its certificates, destinations and renewal as lines.

import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { expirySoonDays } from '../../core/x509/certificate.ts';
import type { Paint } from '../output.ts';
import type { CertificateView, IdentityView } from './described.ts';

/** Less than that is shown in red: rotations begin before it (docs/operate.md). */

export function daysText(daysLeft: number, paint: Paint): string {
  // Whole days on both sides: what ended 25 hours ago has -2 days left.
  if (daysLeft < 0) return paint('red', `expired ${daysCounted(-daysLeft - 1)} ago`);
  return paint(daysLeft < expirySoonDays ? 'red' : 'green', `${daysCounted(daysLeft)} left`);
}

function daysCounted(days: number): string {
  if (days === 0) return 'less than a day';
  return days === 1 ? '1 day' : `${days} days`;
}

function certificateLines(certificate: CertificateView, paint: Paint): readonly string[] {
  const { role, subject, issuer, key, signature, validFrom, validTo, daysLeft, fingerprint256, pin, serialNumber } =
    certificate;
  return [
    `  ${paint('bold', role.padEnd(12))}  ${escapeForTerminal(subject)}`,
    ...(role === 'root' ? [] : [`                issued by ${escapeForTerminal(issuer)}`]),
    `                valid ${validFrom.slice(0, 10)} to ${validTo.slice(0, 10)}, ${daysText(daysLeft, paint)}`,
    `                ${key}, ${signature}, serial number ${serialNumber}`,
    `                SHA-256 ${fingerprint256}`,
    `                pin     ${pin}`,
  ].map((line) => line.trimEnd());
}

export function destinationLines(destinations: readonly unknown[] | undefined): readonly string[] {
  if (destinations === undefined) return ['  any public host on port 443: none is listed'];
  if (destinations.length === 0) return ['  none: the identity may go nowhere'];
  return destinations.map((destination) => `  ${escapeForTerminal(destinationText(destination))}`);
}

/** `api.acme.example:443, requireMutual, network private`. */
function destinationText(destination: unknown): string {
  if (typeof destination !== 'object' || destination === null) return String(destination);
  const { host, port = 443, ...rest } = destination as Record<string, unknown>;
  const settings = Object.entries(rest).map(([key, value]) => settingText(key, value));
  return [
    `${String(host).includes(':') && !String(host).startsWith('[') ? `[${host}]` : host}:${port}`,
    ...settings,
  ].join(', ');
}

function settingText(key: string, value: unknown): string {
  if (value === true) return key;
  if (value === false) return `${key} off`;
  if (key === 'serverRoots' && Array.isArray(value))
    return `serverRoots ${value.map((one) => String(one).slice(0, 23)).join(' ')}…`;
  return `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

export function identityLines(described: IdentityView, paint: Paint): readonly string[] {
  const { stage, version, isUsable, problem, certificates, destinations, renewal } = described;
  const state = isUsable
    ? paint('green', 'usable')
    : paint('red', `unusable: ${escapeForTerminal(problem?.detail ?? '')} (${problem?.reason})`);
  return [
    `${paint('bold', stage)}  version ${version}  ${state}`,
    ...certificates.flatMap((certificate) => certificateLines(certificate, paint)),
    'Destinations',
    ...destinationLines(destinations),
    'Renewal',
    `  ${renewal === undefined ? 'none: by hand' : escapeForTerminal(JSON.stringify(renewal))}`,
  ];
}

/** Pads every column but the last. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>(
    (sofar, row) => row.map((cell, at) => Math.max(sofar[at] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
