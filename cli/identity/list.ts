// `identity list`: prints every identity of the store, whether it is usable, and its days left.
import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import { columns, daysText, identityView, parseMembers } from './identity-view.ts';

interface Entry {
  readonly identity: string;
  readonly isUsable: boolean;
  readonly problem?: { readonly reason: string; readonly detail: string };
  readonly subject?: string;
  /** Of the client certificate, ISO 8601. */
  readonly validTo?: string;
  readonly daysLeft?: number;
  readonly fingerprint256?: string;
  readonly destinations?: number;
}

/** Concurrent reads. Secrets Manager allows thousands per second. */
const atOnce = 8;

export async function listIdentities(options: StoreOptions, context: CommandContext): Promise<void> {
  const store = await openStore(options, context);
  const names = await store.names();
  const entries: Entry[] = [];
  for (let first = 0; first < names.length; first += atOnce) {
    entries.push(
      ...(await Promise.all(names.slice(first, first + atOnce).map((name) => entryOf(name, store, context.now())))),
    );
  }
  const { paint } = context.output;
  context.output.answer({ place: store.place, identities: entries }, () => {
    if (entries.length === 0) return [`There is no identity in ${store.place}.`];
    const rows = entries.map(({ identity, subject, validTo, problem }) => [
      identity,
      validTo?.slice(0, 10) ?? '–',
      escapeForTerminal(subject ?? ''),
      problem === undefined ? '' : problem.reason,
    ]);
    return columns(rows).flatMap((row, index) => {
      const { isUsable, daysLeft, problem } = entries[index] as Entry;
      const line = `${isUsable ? paint('green', '✓') : paint('red', '✗')} ${row}${daysLeft === undefined ? '' : `  ${daysText(daysLeft, paint)}`}`;
      return problem === undefined ? [line] : [line, `    ${paint('dim', escapeForTerminal(problem.detail))}`];
    });
  });
}

async function entryOf(identity: string, store: IdentityStore, now: number): Promise<Entry> {
  try {
    const stored = await store.read(identity, 'AWSCURRENT');
    if (stored === undefined || isStoredRequest(stored.document)) {
      const waits = stored !== undefined || (await store.request(identity)) !== undefined;
      return { identity, isUsable: false, problem: waits ? requestWaits : noValue };
    }
    const { isUsable, problem, certificates, destinations } = identityView(identity, 'AWSCURRENT', stored, now);
    const leaf = certificates.find(({ role }) => role === 'client');
    return {
      identity,
      isUsable,
      ...(problem === undefined ? {} : { problem }),
      ...(leaf === undefined
        ? {}
        : {
            subject: leaf.subject,
            validTo: leaf.validTo,
            daysLeft: leaf.daysLeft,
            fingerprint256: leaf.fingerprint256,
          }),
      ...(destinations === undefined ? {} : { destinations: destinations.length }),
    };
  } catch (thrown) {
    // One unreadable identity must not hide the others.
    if (!(thrown instanceof CountersignError) || !/^identity-un(usable|available)$/.test(thrown.code)) throw thrown;
    return { identity, isUsable: false, problem: { reason: String(thrown.evidence?.reason), detail: thrown.message } };
  }
}

const noValue = { reason: 'no-value', detail: 'Nothing is stored under this name yet.' };
const requestWaits = {
  reason: 'request-waits',
  detail:
    'A certificate request waits for its first certificate: countersign identity csr prints it, complete stores the certificate.',
};

/** The first value of a secret becomes its current one, even if it is a key and its request (docs/rotation.md). */
function isStoredRequest(document: string): boolean {
  const { certificateRequest, certificate } = parseMembers(document);
  return certificateRequest !== undefined && certificate === undefined;
}
