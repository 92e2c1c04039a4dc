// Starts one real server and runs every cell against it, as an invocation and as a diagnosis.
import { connect } from 'node:tls';
import type { Destination } from '../../core/destination/destination.ts';
import { freePort } from '../support/port.ts';
import { disagreement } from './agreement.ts';
import { type CellName, cellNames, cells, type SetupName, setups, type TlsVersion, versionsOf } from './cells.ts';
import { createMatrixCertificates, identityOf, type MatrixCertificates } from './certificates.ts';
import type { Listener } from './listener.ts';
import { callOutcome, createMatrixClient, diagnosisOutcome, type MatrixClient } from './matrix-client.ts';
import type { CellOutcome } from './outcomes.ts';
import { openResources } from './resources.ts';
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
    const certificates = createMatrixCertificates(resources);
    const places = cellsOf(server);
    const listeners = await listenersFor(places, certificates);
    await server.start([...listeners.values()], resources);
    const matrix = createMatrixClient(resources);
    return await runConcurrently(
      places.map(({ cell, version }) => async () => {
        const { port } = listeners.get(listenerKey(cell, version)) as Listener;
        const client = certificates.clients[server.clients?.[cell] ?? cells[cell].client];
        if (cell === 'oldProtocol') await speaksOldProtocol(port, client);
        const name = `${server.title} ${cell} ${version}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
        matrix.identities.set(name, identityOf(name, client, destinationOf(port, certificates)));
        return { cell, version, ...(await ask(matrix, name, `https://localhost:${port}/`, cells[cell].noRequest)) };
      }),
    );
  } finally {
    await resources.end();
  }
}

export function cellsOf(server: MatrixServer): { cell: CellName; version: TlsVersion }[] {
  const possible = cellNames.filter((cell) => !server.without?.includes(cell));
  return possible.flatMap((cell) => versionsOf(cell).map((version) => ({ cell, version })));
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

/** Cells with the same setup and version share a listener. */
function listenerKey(cell: CellName, version: TlsVersion): string {
  return `${version} ${cells[cell].setup}`;
}

async function listenersFor(
  places: ReturnType<typeof cellsOf>,
  certificates: MatrixCertificates,
): Promise<Map<string, Listener>> {
  const listeners = new Map<string, Listener>();
  for (const { cell, version } of places) {
    const place = listenerKey(cell, version);
    if (listeners.has(place)) continue;
    const setup: SetupName = cells[cell].setup;
    listeners.set(place, { port: await freePort(), protocol: version, ...setups[setup](certificates) });
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
  url: string,
  noRequest = false,
): Promise<Pick<Measured, 'outcome' | 'contradiction'>> {
  if (noRequest) return { outcome: { ...(await matrix.diagnose(name, { url, probe: false })), invocation: '–' } };
  const [call, diagnosis] = await Promise.all([matrix.call(name, { url }), matrix.report(name, { url })]);
  const strict =
    diagnosis.verdict === 'not-mutual' ? await matrix.invoke(name, { url, requireMutual: true }) : undefined;
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
