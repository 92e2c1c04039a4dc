// Starts one real server and runs every cell against it, as an invocation and as a diagnosis.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import type { Destination } from '../../core/destination/destination.ts';
import { findLibrary } from '../support/peers.ts';
import { freePort } from '../support/port.ts';
import { disagreement } from './agreement.ts';
import { type CellName, cellNames, cells, type SetupParts, setups, type TlsVersion, versionsOf } from './cells.ts';
import { createMatrixCertificates, identityOf, type MatrixCertificates } from './certificates.ts';
import type { Listener } from './listener.ts';
import { callOutcome, createMatrixClient, diagnosisOutcome, type MatrixClient } from './matrix-client.ts';
import type { CellOutcome } from './outcomes.ts';
import { openResources, type Resources } from './resources.ts';
import type { MatrixServer } from './servers.ts';

export interface Measured {
  readonly cell: CellName;
  readonly version: TlsVersion;
  readonly outcome: CellOutcome;
  /** How the call and the diagnosis contradict each other. */
  readonly contradiction?: string | undefined;
}

export async function measure(server: MatrixServer): Promise<Measured[]> {
  const resources = openResources();
  try {
    const certificates = createMatrixCertificates();
    const places = cellsOf(server);
    const listeners = await listenersFor(places, { ...certificates, responder: await silentResponder(resources) });
    await startAll(server, listeners, resources);
    const matrix = createMatrixClient(resources);
    return await runConcurrently(
      places.map(({ cell, version }) => async () => {
        const { port } = listenerOf(listeners, cell, version);
        const client = certificates.clients[server.clients?.[cell] ?? cells[cell].client];
        if (cell === 'oldProtocol') await speaksOldProtocol(port, client);
        const name = `${server.title} ${cell} ${version}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
        const destination = { ...destinationOf(port, certificates), ...cells[cell].destination?.(version) };
        matrix.identities.set(name, identityOf(name, client, destination));
        const { path = '', timeoutMs, noRequest } = cells[cell];
        const request = {
          url: `https://localhost:${port}/${path}`,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        };
        return {
          cell,
          version,
          ...(await ask(matrix, name, request, noRequest ? false : { method: 'GET', path: `/${path}` })),
        };
      }),
    );
  } finally {
    await resources.end();
  }
}

export function cellsOf(server: MatrixServer): { cell: CellName; version: TlsVersion }[] {
  const possible = cellNames.filter((cell) => {
    const { needs } = cells[cell];
    return !server.without?.includes(cell) && (needs === undefined || server.conditions?.includes(needs));
  });
  return possible.flatMap((cell) => {
    const versions = versionsOf(cell).filter((version) => !server.withoutVersions?.includes(version));
    return versions.map((version) => ({ cell, version }));
  });
}

/** Each clock has processes of its own. */
async function startAll(server: MatrixServer, listeners: Listeners, resources: Resources): Promise<void> {
  const clocks = new Map<number, Listener[]>();
  for (const { clock, listener } of listeners.values()) {
    clocks.set(clock, [...(clocks.get(clock) ?? []), listener]);
  }
  await Promise.all([...clocks].map(([days, group]) => server.start(group, atClock(resources, days))));
}

function atClock(resources: Resources, days: number): Resources {
  if (days === 0) return resources;
  const shift = `${days > 0 ? '+' : ''}${days}d`;
  const clock = { LD_PRELOAD: findLibrary('faketime') ?? '', FAKETIME: shift, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  return {
    ...resources,
    start: (path, args, options) => resources.start(path, args, { ...options, env: { ...options.env, ...clock } }),
  };
}

/** `host:port`; as a responder that looks something up and hangs. */
async function silentResponder(resources: Resources): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.onEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Eight at a time: a server without CPU time for a moment must not look as if it gave no answer. */
async function runConcurrently<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const waiting = tasks.entries();
  const worker = async () => {
    for (const [index, task] of waiting) results[index] = await task();
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return results;
}

type Listeners = ReadonlyMap<string, { readonly clock: number; readonly listener: Listener }>;

/** Cells with the same setup, clock and version share a listener. */
function listenerKey(cell: CellName, version: TlsVersion): string {
  const { setup, clock = 0 } = cells[cell];
  return `${version} ${setup} ${clock}`;
}

function listenerOf(listeners: Listeners, cell: CellName, version: TlsVersion): Listener {
  return listeners.get(listenerKey(cell, version))?.listener as Listener;
}

async function listenersFor(places: ReturnType<typeof cellsOf>, parts: SetupParts): Promise<Listeners> {
  const listeners = new Map<string, { clock: number; listener: Listener }>();
  for (const { cell, version } of places) {
    const place = listenerKey(cell, version);
    if (listeners.has(place)) continue;
    const { setup, clock = 0 } = cells[cell];
    listeners.set(place, { clock, listener: { port: await freePort(), protocol: version, ...setups[setup](parts) } });
  }
  return listeners;
}

function destinationOf(port: number, { customerRoots }: MatrixCertificates): Destination {
  return {
    host: 'localhost',
    port,
    network: 'loopback',
    serverRoots: customerRoots,
    minTlsVersion: 'TLSv1.2',
    maxTlsVersion: 'TLSv1.3',
    requireMutual: false,
  };
}

/** Each cell has its own identity, so that cells share no connection and no session. */
async function ask(
  matrix: MatrixClient,
  name: string,
  request: { readonly url: string; readonly timeoutMs?: number },
  probe: false | { readonly method: 'GET'; readonly path: string },
): Promise<Pick<Measured, 'outcome' | 'contradiction'>> {
  if (!probe) return { outcome: { ...(await matrix.diagnose(name, { ...request, probe })), invocation: '–' } };
  const [call, diagnosis] = await Promise.all([matrix.call(name, request), matrix.report(name, { ...request, probe })]);
  const strict =
    diagnosis.verdict === 'not-mutual' ? await matrix.invoke(name, { ...request, requireMutual: true }) : undefined;
  const invocation = callOutcome(call);
  return {
    outcome: {
      ...diagnosisOutcome(diagnosis),
      invocation: strict ? `${invocation}; with requireMutual ${strict}` : invocation,
    },
    contradiction: disagreement(diagnosis, call),
  };
}

/** A listener that does not speak TLS at all would look the same to Countersign. */
function speaksOldProtocol(
  port: number,
  { certificate, intermediates, privateKey }: MatrixCertificates['clients']['ec'],
): Promise<void> {
  const socket = connect({
    port,
    servername: 'localhost',
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
    cert: certificate + intermediates,
    key: privateKey,
    rejectUnauthorized: false,
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(new Error(`It does not speak TLS 1.1: ${error.message}`)));
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve();
    });
  });
}
