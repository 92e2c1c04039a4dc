// `identity renew`: renews the identities of a directory that are due, and continues renewals that an earlier run left.
import { setTimeout as wait } from 'node:timers/promises';
import { CommanderError } from 'commander';
import { asCountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { parseRenewal } from '../../core/identity/renewal.ts';
import { openIssuer } from '../../core/issuers/open-issuer.ts';
import { membersOf } from '../../core/rotation/current-document.ts';
import { renew, renewalDueAt } from '../../core/rotation/renew.ts';
import { noTelemetry } from '../../core/telemetry/telemetry.ts';
import type { SecretVersions } from '../../core/versions/versions.ts';
import type { CommandContext } from '../context.ts';
import { type ExitCode, exitCodeOf, exitCodes, refusal, usageError } from '../exit-code.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import { changedMeanwhile, requireIdentity } from './change.ts';
import { clientCertificateOf } from './identity-view.ts';

export interface RenewOptions extends StoreOptions {
  readonly all?: boolean;
  readonly before?: string;
  readonly dryRun?: boolean;
  readonly restart?: boolean;
}

interface Certificate {
  /** ISO 8601. */
  readonly validTo: string;
  readonly fingerprint256: string;
}

export interface Renewed extends Certificate {
  /** Customers who trust the root must trust another one. */
  readonly newRoot?: true;
}

type Result =
  | ({ readonly outcome: 'renewed' } & Renewed)
  | { readonly outcome: 'would-be-renewed' | 'would-be-continued' | 'no-renewal' }
  | { readonly outcome: 'not-due'; readonly dueAt: string }
  | { readonly outcome: 'awaits-signature' | 'failed'; readonly error: Failure; readonly exitCode: ExitCode };

interface Failure {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string | undefined;
}

/** For each step: issuers and destinations have seconds, EST may ask to wait for a minute. */
const stepTimeoutMs = 300_000;

export async function renewIdentities(
  given: readonly string[],
  options: RenewOptions,
  context: CommandContext,
): Promise<void> {
  if (given.length > 0 === (options.all === true)) throw usageError('Name the identities to renew, or give --all.');
  const before = options.before === undefined ? undefined : parseDays(options.before);
  if (options.restart && options.dryRun) throw usageError('Give --restart or --dry-run, not both.');
  if (options.restart && options.all) throw usageError('--restart needs the names of identities.');
  const store = await openStore(options, context);
  requireRenewals(store);
  const names = options.all ? await store.names() : [...new Set(given)];
  const results: object[] = [];
  const codes = new Set<ExitCode>();
  for (const name of names) {
    const result = await resultOf(name);
    if (result.outcome === 'no-renewal' && !options.all) codes.add(exitCodes.refused);
    if ('exitCode' in result) codes.add(result.exitCode);
    const { exitCode: _, ...shown } = { exitCode: undefined, ...result };
    results.push({ identity: name, ...shown });
    if (!context.isJson) context.output.raw(`${lineOf(name, result, context)}\n`);
    if (!context.isJson && 'error' in result && result.error.hint) context.output.progress(`  ${result.error.hint}`);
  }
  context.output.answer({ place: store.place, identities: results }, () =>
    names.length === 0 ? [`There is no identity in ${store.place}.`] : [],
  );
  const worst = [exitCodes.defect, exitCodes.refused, exitCodes.unavailable].find((code) => codes.has(code));
  if (worst !== undefined) context.end(worst);

  async function resultOf(name: string): Promise<Result> {
    try {
      return await renewOne(name, { ...options, before }, store, context);
    } catch (thrown) {
      if (thrown instanceof CommanderError) {
        const { code, message, exitCode } = thrown;
        const outcome = code === 'request-waits' ? 'awaits-signature' : 'failed';
        return { outcome, error: { code, detail: message }, exitCode: exitCode as ExitCode };
      }
      const error = asCountersignError(thrown);
      const { code, message: detail, hint } = error;
      if (code === 'signature-awaited') {
        const how =
          error.evidence?.reason === 'manual'
            ? `Print the request with countersign identity csr ${name}, have it signed, and store the certificate with complete.`
            : hint;
        return { outcome: 'awaits-signature', error: { code, detail, hint: how }, exitCode: exitCodes.refused };
      }
      const isLeftBehind = code === 'rotation-refused' || error.evidence?.stage === 'AWSPENDING';
      const how = isLeftBehind ? `Begin again with countersign identity renew ${name} --restart.` : hint;
      return { outcome: 'failed', error: { code, detail, hint: how }, exitCode: exitCodeOf(error) };
    }
  }
}

function requireRenewals(store: IdentityStore): NonNullable<IdentityStore['renewals']> {
  if (store.renewals) return store.renewals;
  throw refusal(
    'no-renewal',
    `Secrets Manager renews its identities itself: see countersign identity rotate. To renew a directory, give --source directory:PATH.`,
  );
}

function parseDays(text: string): number {
  const days = Number(text);
  if (/^\d{1,4}$/.test(text) && days >= 1 && days <= 3650) return days;
  throw usageError('--before must be a whole number of days from 1 to 3650.');
}

type Choice = Pick<RenewOptions, 'dryRun' | 'restart'> & { readonly before: number | undefined };

const day = 86_400_000;

async function renewOne(
  name: string,
  { before, dryRun, restart = false }: Choice,
  store: IdentityStore,
  context: CommandContext,
): Promise<Result> {
  const { pending } = await requireIdentity(name, store);
  const stored = await store.read(name, 'AWSCURRENT');
  const { renewal: value, ...members } = stored === undefined ? {} : membersOf(stored.document);
  if (stored === undefined || value === undefined) return { outcome: 'no-renewal' };
  const dueAt = dueAtOf(stored.document);
  const isUnderWay = pending !== undefined;
  if (!isUnderWay && !restart && dueAt > context.now())
    return { outcome: 'not-due', dueAt: new Date(dueAt).toISOString() };
  if (dryRun) return { outcome: isUnderWay ? 'would-be-continued' : 'would-be-renewed' };
  return await requireRenewals(store).exclusively(name, { restarts: restart }, async (versions, token) => {
    // Another run may have ended since the identity was read.
    if (!isUnderWay && !restart && (await store.read(name, 'AWSCURRENT'))?.version !== stored.version)
      throw changedMeanwhile(name);
    return { outcome: 'renewed', ...(await runRenewal(name, versions, token, context)) };
  });

  function dueAtOf(document: string): number {
    const byRenewal = renewalDueAt(document, parseRenewal(value));
    const validTo = clientCertificateOf(members)?.validToDate.getTime() ?? 0;
    return before === undefined ? byRenewal : Math.min(byRenewal, validTo - before * day);
  }
}

/** Runs, or continues, the renewal to its end. Throws CountersignError. */
export async function runRenewal(
  name: string,
  versions: SecretVersions,
  token: string,
  context: CommandContext,
): Promise<Renewed> {
  let isNewRoot = false;
  const services = {
    telemetry: noTelemetry,
    prefix: '',
    versions,
    openIssuer,
    events: {
      async publish({ detail }: { readonly detail: Readonly<Record<string, unknown>> }) {
        isNewRoot = detail.newRoot === true;
      },
    },
    renewals: {},
    now: context.now,
    sleep: (ms: number) => wait(ms),
  };
  await renew(services, { secretArn: name, token, stepTimeoutMs });
  const stored = await versions.read(name, { stage: 'AWSCURRENT' });
  const certificate = stored && clientCertificateOf(membersOf(stored.document));
  if (certificate === undefined) throw changedMeanwhile(name);
  const { validToDate, fingerprint256 } = certificate;
  return { validTo: validToDate.toISOString(), fingerprint256, ...(isNewRoot ? { newRoot: true } : {}) };
}

function lineOf(name: string, result: Result, { output: { paint } }: CommandContext): string {
  switch (result.outcome) {
    case 'renewed':
      return `${paint('green', '✓')} ${name}: ${renewedText(result)}`;
    case 'would-be-renewed':
      return `${paint('yellow', '!')} ${name}: due, would be renewed`;
    case 'would-be-continued':
      return `${paint('yellow', '!')} ${name}: a renewal is under way, would be continued`;
    case 'not-due':
      return `${paint('green', '✓')} ${name}: not due until ${result.dueAt.slice(0, 10)}`;
    case 'no-renewal':
      return `${paint('dim', '–')} ${name}: has no renewal (docs/on-premises.md)`;
    case 'awaits-signature':
      return `${paint('yellow', '!')} ${name}: ${escapeForTerminal(result.error.detail)}`;
    case 'failed':
      return `${paint('red', '✗')} ${name}: ${escapeForTerminal(result.error.detail)} ${paint('dim', `(${result.error.code})`)}`;
  }
}

export function renewedText({ validTo, fingerprint256, newRoot }: Renewed): string {
  const root = newRoot ? '. Its root is another one: customers must trust that' : '';
  return `renewed until ${validTo.slice(0, 10)}, SHA-256 ${fingerprint256}${root}`;
}
