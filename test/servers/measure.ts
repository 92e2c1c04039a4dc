// Starts one real server and runs every cell against it, as an invocation and as a diagnosis, through Countersign's own door.
import { connect } from 'node:tls';
import type { Destination } from '../../core/destination/destination.ts';
import { freePort } from '../support/port.ts';
import { type Cast, identityOf, makeCast } from './cast.ts';
import { type CellName, cellNames, cells, type SetupName, setups, type TlsVersion, versionsOf } from './cells.ts';
import { type Desk, openDesk } from './desk.ts';
import type { Listener } from './listener.ts';
import { openScope } from './scope.ts';
import type { MatrixServer } from './servers.ts';
import type { Told } from './told.ts';

export interface Measured {
  readonly cell: CellName;
  readonly version: TlsVersion;
  readonly told: Told;
}

export async function measure(server: MatrixServer): Promise<Measured[]> {
  const scope = openScope();
  try {
    const cast = makeCast(scope);
    const places = cellsOf(server);
    const listeners = await listenersFor(places, cast);
    await server.start([...listeners.values()], scope);
    const desk = openDesk(scope);
    return await inTurn(
      places.map(({ cell, version }) => async () => {
        const { port } = listeners.get(placeOf(cell, version)) as Listener;
        const client = cast.clients[server.clients?.[cell] ?? cells[cell].client];
        if (cell === 'oldProtocol') await speaksOldProtocol(port, client);
        const name = `${server.title} ${cell} ${version}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
        desk.identities.set(name, identityOf(name, client, destinationOf(port, cast)));
        return { cell, version, told: await ask(desk, name, `https://localhost:${port}/`, cells[cell].quiet) };
      }),
    );
  } finally {
    await scope.end();
  }
}

export function cellsOf(server: MatrixServer): { cell: CellName; version: TlsVersion }[] {
  const possible = cellNames.filter((cell) => !server.without?.includes(cell));
  return possible.flatMap((cell) => versionsOf(cell).map((version) => ({ cell, version })));
}

/** A few at a time: a server that is starved of time for a moment must not look as if it had nothing to say. */
async function inTurn<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const waiting = tasks.entries();
  const worker = async () => {
    for (const [index, task] of waiting) results[index] = await task();
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return results;
}

/** Cells that share a set-up and a version share a listener. */
function placeOf(cell: CellName, version: TlsVersion): string {
  return `${version} ${cells[cell].setup}`;
}

async function listenersFor(places: ReturnType<typeof cellsOf>, cast: Cast): Promise<Map<string, Listener>> {
  const listeners = new Map<string, Listener>();
  for (const { cell, version } of places) {
    const place = placeOf(cell, version);
    if (listeners.has(place)) continue;
    const setup: SetupName = cells[cell].setup;
    listeners.set(place, { port: await freePort(), protocol: version, ...setups[setup](cast) });
  }
  return listeners;
}

function destinationOf(port: number, { customerRoots }: Cast): Destination {
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

/** Each cell under an identity of its own, so that none uses another's connection or session. */
async function ask(desk: Desk, name: string, url: string, quiet = false): Promise<Told> {
  if (quiet) return { ...(await desk.diagnose(name, { url, probe: false })), invocation: '–' };
  const [invocation, diagnosis] = await Promise.all([desk.invoke(name, { url }), desk.diagnose(name, { url })]);
  const strict = diagnosis.verdict === 'not-mutual' ? await desk.invoke(name, { url, requireMutual: true }) : undefined;
  return { ...diagnosis, invocation: strict ? `${invocation}; with requireMutual ${strict}` : invocation };
}

/** A listener that speaks nothing at all would look the same to Countersign. */
function speaksOldProtocol(
  port: number,
  { certificate, intermediates, privateKey }: Cast['clients']['ec'],
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
