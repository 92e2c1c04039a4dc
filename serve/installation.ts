// One process that serves: its files, its identities, its use cases and its listener, opened in order and closed again.
import { readdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import type { Server as TlsServer } from 'node:tls';
import type { NotedVerdict } from '../console/verdicts.ts';
import type { Telemetry } from '../core/telemetry/telemetry.ts';
import { closeServer, listen } from '../listener/listen.ts';
import { isLoopback } from '../listener/loopback.ts';
import { createAuthentication } from './auth/authentication.ts';
import { createRefusalLines } from './auth/refused-requests.ts';
import type { ServerTrust } from './auth/trusted-authorities.ts';
import { createListener } from './http/listener.ts';
import { createLoad } from './http/load-limit.ts';
import { createRefusedConnections } from './http/refused-connections.ts';
import { openOwnConsole } from './http/serve-console.ts';
import { shareConnections } from './http/shared-port.ts';
import { createServeMetrics, type MetricsSnapshot } from './metrics/metrics.ts';
import type { ServeOptions } from './options.ts';
import { createReadiness } from './readiness.ts';
import { keepIdentities, readEveryMs } from './reload/identity-reloader.ts';
import { keepOwnFiles, type OwnTexts } from './reload/tls-files.ts';
import { openUseCases } from './use-cases.ts';

export interface Installation {
  readonly port: number;
  snapshot(): Promise<MetricsSnapshot>;
  /** A diagnosis in another process came to this. */
  take(verdict: NotedVerdict): void;
  /** Takes no more calls, lets those in flight end within `deadlineMs`. @returns how many had to be cut off */
  close(deadlineMs: number): Promise<number>;
}

export interface InstallationParts {
  /** Where lines go; records are counted here. */
  readonly telemetry: Telemetry;
  /** Prometheus' text, of all processes; `own` is this one's. */
  metrics(own: () => Promise<MetricsSnapshot>): Promise<string>;
  /** What another process last found sound of the server's own files. */
  readonly lastSound?: OwnTexts | undefined;
  /** Whether other processes listen on the same port. */
  readonly sharesPort: boolean;
  /** A diagnosis in this process came to this. */
  onVerdict(verdict: NotedVerdict): void;
}

/** The connections to customers' APIs are bounded by what the system lets a process open. Throws an Error with one sentence. */
export async function openInstallation(options: ServeOptions, parts: InstallationParts): Promise<Installation> {
  const closing: (() => void)[] = [];
  const close = () => {
    for (const part of closing.splice(0).reverse()) part();
  };
  try {
    return await open(options, parts, closing, close);
  } catch (thrown) {
    close();
    throw thrown;
  }
}

async function open(
  options: ServeOptions,
  parts: InstallationParts,
  closing: (() => void)[],
  close: () => void,
): Promise<Installation> {
  const { tls } = options;
  await requireFolder(options.identities);
  let serving: Server | undefined;
  const files = await keepOwnFiles(options, {
    lastSound: parts.lastSound,
    onTrust: changeTrust,
    telemetry: parts.telemetry,
  });
  closing.push(files.close);
  const { trust, callers } = files;
  const authentication = callers && createAuthentication(() => callers.current);

  const { limits } = options;
  const load = createLoad(limits.maxCalls, limits.maxBufferedBytes);
  let connections = 0;
  const metrics = createServeMetrics({ callsInFlight: () => load.callsInFlight, openConnections: () => connections });
  const telemetry: Telemetry = { write: parts.telemetry.write, meter: metrics.meter };
  const useCases = await openUseCases(options, telemetry, (diagnosis) => console?.diagnosed(diagnosis));
  closing.push(useCases.close);
  const kept = keepIdentities(useCases.identities, readEveryMs(options.identityTtlMs));
  closing.push(kept.close);

  const readiness = createReadiness(options.identities, {
    get(name) {
      // Else it would be read here, and not again before a call had gone out with it.
      kept.used(name);
      return useCases.identities.get(name);
    },
  });
  const console = options.console ? openOwnConsole(options.identities, useCases.source, parts.onVerdict) : undefined;
  const tellRefusal = createRefusalLines(telemetry);
  const tellConnection = createRefusedConnections(telemetry, limits.maxConnections);

  const server = createListener({
    telemetry,
    limits,
    docsUrl: options.docsUrl,
    trust: trust?.current,
    wantsClientCertificates: tls?.clientCa !== undefined,
    authentication,
    isOnLoopback: isLoopback(options.host) && !tls,
    routes: useCases.byRoute,
    load,
    readiness,
    console,
    metrics: () => parts.metrics(metrics.snapshot),
    onRefused(refusal) {
      metrics.refused(refusal.code);
      tellRefusal(refusal);
    },
    onConnectionRefused() {
      metrics.connectionRefused();
      tellConnection();
    },
    onIdentity: kept.used,
  });
  serving = server;
  if (parts.sharesPort) shareConnections(server);
  server.on('connection', (socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });
  /** Connections that stand keep their certificate; callers of other authorities are let go. */
  function changeTrust(now: ServerTrust, before: ServerTrust): void {
    // Not there yet: it begins with what is in force then.
    if (serving === undefined) return;
    (serving as unknown as TlsServer).setSecureContext(now.context);
    if (now.authorities !== before.authorities) {
      authentication?.forgetCertificates();
      serving.closeIdleConnections();
    }
  }

  const { host, port: wanted } = options;
  const port = await listen(server, {
    port: wanted,
    host,
    what: 'countersign serve',
    option: '--port',
    exclusive: !parts.sharesPort,
  });
  return {
    port,
    snapshot: metrics.snapshot,
    take: (verdict) => console?.take(verdict),
    async close(deadlineMs) {
      readiness.shutDown();
      let cutOff = deadlineMs === 0 ? load.callsInFlight : 0;
      const late = setTimeout(
        () => {
          cutOff = load.callsInFlight;
        },
        Math.max(1, deadlineMs - 1),
      );
      await closeServer(server, deadlineMs);
      clearTimeout(late);
      close();
      return cutOff;
    },
  };
}

async function requireFolder(path: string): Promise<void> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`The folder of --identities cannot be read (${error.code ?? error.name}).`);
  });
  // None below it would ever be usable, and nobody would be told why.
  if (names.includes('private-key.pem') || names.includes('tls.key')) {
    throw new Error(`The folder of --identities is itself an identity: name the one above, ${dirname(path)}.`);
  }
}
