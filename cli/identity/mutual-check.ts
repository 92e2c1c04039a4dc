// Connects to the destinations that a command adds, and sets requireMutual where the server asks for the client
// certificate (docs/decisions/0064).
import type { Destination } from '../../core/destination/destination.ts';
import { createDiagnose } from '../../core/diagnosis/diagnose.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { checkDiagnosisRequest } from '../../core/diagnosis/request.ts';
import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import type { Identity } from '../../core/identity/identity.ts';
import { createSemaphore } from '../../core/identity/semaphore.ts';
import { noTelemetry } from '../../core/telemetry/telemetry.ts';
import type { CommandContext } from '../context.ts';
import type { Paint } from '../output.ts';

export interface ReachOption {
  /** False with --no-reach: no connection is made. */
  readonly reach: boolean;
}

export interface MutualCheck {
  readonly host: string;
  readonly port: number;
  /** Whether the server asked for a client certificate in the handshake. Absent: that could not be seen. */
  readonly asked?: boolean;
  /** Whether it is set. */
  readonly requireMutual: boolean;
  /** One sentence. */
  readonly detail: string;
}

/** Milliseconds for one destination. */
const timeoutMs = 5_000;
const most = { atOnce: 8, destinations: 64 } as const;

/**
 * `added`: destinations of a document, in their stored form. Checks those with one host and no `requireMutual` of their
 * own, by a handshake without a request. `document`: the identity with these destinations. Rejects only when the
 * command is interrupted.
 */
export async function checkMutual(
  name: string,
  document: string,
  added: readonly object[],
  { reach }: ReachOption,
  context: CommandContext,
): Promise<readonly MutualCheck[]> {
  const places = reach ? added.flatMap((one) => placeOf(one) ?? []) : [];
  if (places.length === 0) return [];
  context.output.progress(
    `Connecting to ${places.length === 1 ? 'one destination' : `${places.length} destinations`}.`,
  );
  const { interrupted } = context;
  interrupted.throwIfAborted();
  const aborted = new Promise<never>((_resolve, reject) => {
    interrupted.addEventListener('abort', () => reject(interrupted.reason), { once: true });
  });
  return Promise.race([checkAll(name, document, places, context.now), aborted]);
}

type Place = Pick<Destination, 'host' | 'port'>;

/** Undefined for a wildcard, and where the user has decided. */
function placeOf(destination: object): Place | undefined {
  const { host, port = 443 } = destination as Record<string, unknown>;
  if (typeof host !== 'string' || host.includes('*') || 'requireMutual' in destination) return undefined;
  return { host, port: Number(port) };
}

async function checkAll(
  name: string,
  document: string,
  places: readonly Place[],
  now: () => number,
): Promise<readonly MutualCheck[]> {
  let identity: Identity;
  try {
    identity = checkIdentity(name, { version: '', stage: 'AWSCURRENT', document }, now());
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    const { message } = thrown;
    return places.map((place) => ({ ...place, ...unchecked(message) }));
  }
  const { run } = createSemaphore(most.atOnce, most.destinations);
  return Promise.all(
    places.map((place, index) =>
      index < most.destinations
        ? run(() => checkPlace(identity, place, now))
        : { ...place, ...unchecked(`At most ${most.destinations} destinations are.`) },
    ),
  );
}

async function checkPlace(identity: Identity, { host, port }: Place, now: () => number): Promise<MutualCheck> {
  const identities = { get: () => identity, refreshing: () => undefined, reload: async () => identity };
  const diagnose = createDiagnose({ telemetry: noTelemetry, identities, now });
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const request = checkDiagnosisRequest(identity.name, { url, probe: false, timeoutMs });
    const call = { requestId: 'mutual-check', caller: undefined, startedAt: performance.now() };
    return { host, port, ...seenIn(await diagnose(request, call)) };
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return { host, port, ...unchecked(thrown.message) };
  }
}

/**
 * A server that is not trusted proves nothing: another one may have answered in its place. With `requireMutual`, a
 * server that accepts no signature of this key counts as one that does not ask (docs/errors.md).
 */
function seenIn({ verdict, request, client, steps }: Diagnosis): Omit<MutualCheck, 'host' | 'port'> {
  const isReached = verdict !== 'unreachable' && verdict !== 'server-not-trusted';
  if (!isReached || request?.asked === undefined) {
    const findings = steps.flatMap((step) => step.findings);
    const failure = findings.find(({ severity }) => severity === 'failure');
    return unchecked(failure?.detail ?? 'The handshake could not be read.');
  }
  const { asked } = request;
  const requireMutual = asked && client?.signatureAccepted !== false;
  const isRefused = verdict === 'access-refused';
  const says = !asked
    ? 'Does not ask for a client certificate in the handshake'
    : !requireMutual
      ? 'Asks for a client certificate, and accepts no signature of this key'
      : `Asks for a client certificate${isRefused ? ', and refuses this one (countersign diagnose says why)' : ''}`;
  return { asked, requireMutual, detail: `${says}. requireMutual is ${requireMutual ? '' : 'not '}set.` };
}

function unchecked(why: string): Pick<MutualCheck, 'requireMutual' | 'detail'> {
  return { requireMutual: false, detail: `Not checked. ${why}` };
}

/** `destinations` with `requireMutual: true` where the server asked. */
export function withRequireMutual(destinations: readonly object[], checks: readonly MutualCheck[]): readonly object[] {
  return destinations.map((destination) => {
    const place = placeOf(destination);
    const isSet = checks.some((one) => one.requireMutual && one.host === place?.host && one.port === place.port);
    return isSet ? { ...destination, requireMutual: true } : destination;
  });
}

export function mutualCheckLines(checks: readonly MutualCheck[], paint: Paint): readonly string[] {
  return checks.map(({ host, port, requireMutual, detail }) => {
    const mark = requireMutual ? paint('green', '✓') : paint('yellow', '!');
    return `${mark} ${escapeForTerminal(`${host.includes(':') ? `[${host}]` : host}:${port}: ${detail}`)}`;
  });
}
