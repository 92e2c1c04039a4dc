// `identity list`: every identity of the store, with its state and its days.
import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import type { StoreOptions } from '../store/chosen-store.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import { identityView, membersOrNone } from './described.ts';
import { columns, daysText } from './lines.ts';

interface Entry {
  readonly identity: string;
  readonly isUsable: boolean;
  readonly problem?: { readonly reason: string; readonly detail: string };
  readonly subject?: string;
  /** ISO 8601: of the client certificate. */
  readonly validTo?: string;
  readonly daysLeft?: number;
  readonly fingerprint256?: string;
  readonly destinations?: number;
}

/** So many reads at once; Secrets Manager allows thousands a second. */
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
    // One that may not be read keeps nobody from seeing the others.
    if (!(thrown instanceof CountersignError) || !/^identity-un(usable|available)$/.test(thrown.code)) throw thrown;
    return { identity, isUsable: false, problem: { reason: String(thrown.evidence?.reason), detail: thrown.message } };
  }
}

const noValue = { reason: 'no-value', detail: 'There is nothing stored under the name yet.' };
const requestWaits = {
  reason: 'request-waits',
  detail:
    'A certificate request waits for its first certificate: countersign identity csr shows it, complete puts the certificate in.',
};

/** The first value that a secret gets is its current one, also where it is a key and a request (docs/rotation.md). */
function isStoredRequest(document: string): boolean {
  const { certificateRequest, certificate } = membersOrNone(document);
  return certificateRequest !== undefined && certificate === undefined;
}
