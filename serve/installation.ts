// One serving process: its files, identities, use cases and listener, opened in order and closed in reverse.
import { readdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import type { Server as TlsServer } from 'node:tls';
import type { RecordedVerdict } from '../console/recent-verdicts.ts';
import type { Telemetry } from '../core/telemetry/telemetry.ts';
import { closeServer, listen, type PortHandle } from '../listener/listen.ts';
import { isLoopback } from '../listener/loopback.ts';
import { createAuthentication } from './auth/authentication.ts';
import { type ConnectionShare, createConnectionShare } from './http/connection-share.ts';
import { createListener, shareConnections } from './http/listener.ts';
import { createLoadLimit, type LoadLimit } from './http/load-limit.ts';
import { createConnectionRejectionLog, createRequestRejectionLog } from './http/rejection-log.ts';
import { openServeConsole } from './http/serve-console.ts';
import { createReadinessCheck, createRouter } from './http/serve-routes.ts';
import { createServeMetrics, type MetricsSnapshot } from './metrics/metrics.ts';
import type { ServeOptions } from './options.ts';
import { createIdentityReloader, reloadIntervalMs } from './reload/identity-reloader.ts';
import { openTlsFiles, type ServerTrust, type TlsFileTexts } from './reload/tls-files.ts';
import { openUseCases } from './use-cases.ts';

export interface Installation {
  readonly port: number;
  snapshot(): Promise<MetricsSnapshot>;
  /** Adds a verdict of another process to the console. */
  addVerdict(verdict: RecordedVerdict): void;
  readonly share: ConnectionShare;
  /** Takes no more calls and lets those in flight end within `deadlineMs`. @returns how many had to be cut off */
  close(deadlineMs: number): Promise<number>;
}

export interface InstallationParts {
  /** Its log sink; the meter of this installation is added. */
  readonly telemetry: Telemetry;
  /** Prometheus text of all processes; `own` returns the metrics of this one. */
  metrics(own: () => Promise<MetricsSnapshot>): Promise<string>;
  /** The last good files of the server, from the primary process. */
  readonly lastGood?: TlsFileTexts | undefined;
  /** Of the port, if other processes listen on it too. */
  readonly portHandle?: PortHandle | undefined;
  /** Called after each diagnosis in this process. */
  onVerdict(verdict: RecordedVerdict): void;
}

/** Throws an Error with one sentence. */
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
  const { tls, limits } = options;
  await requireFolder(options.identities);
  let server: Server | undefined;
  const files = await openTlsFiles(options, {
    lastGood: parts.lastGood,
    onTrust(now, before) {
      if (server === undefined) return;
      setTrust(server, now);
      if (now.clientCaDigest === before.clientCaDigest) return;
      authentication?.forgetCertificates();
      server.closeIdleConnections();
    },
    telemetry: parts.telemetry,
  });
  closing.push(files.close);
  const { trust, callers } = files;
  const authentication = callers && createAuthentication(() => callers.current);

  const load = createLoadLimit(limits.maxCalls, limits.maxBufferedBytes);
  let connections = 0;
  const metrics = createServeMetrics({ callsInFlight: () => load.callsInFlight, openConnections: () => connections });
  const telemetry: Telemetry = { write: parts.telemetry.write, meter: metrics.meter };
  const useCases = await openUseCases(options, telemetry, (diagnosis) => console?.diagnosed(diagnosis));
  closing.push(useCases.close);
  const reloader = createIdentityReloader(useCases.identities, reloadIntervalMs(options.identityTtlMs));
  closing.push(reloader.close);

  const readiness = createReadinessCheck(options.identities, {
    get(name) {
      // Otherwise the cache would keep what this reads until the first call, which could use replaced files.
      reloader.markUsed(name);
      return useCases.identities.get(name);
    },
  });
  const console = options.console ? openServeConsole(options.identities, useCases.source, parts.onVerdict) : undefined;
  const share = createConnectionShare();
  const logRequest = createRequestRejectionLog(telemetry);
  const logConnection = createConnectionRejectionLog(telemetry, limits.maxConnections);

  const listening = createListener({
    telemetry,
    limits,
    docsUrl: options.docsUrl,
    trust: trust?.current,
    wantsClientCertificates: tls?.clientCa !== undefined,
    authentication,
    isOnLoopback: isLoopback(options.host) && !tls,
    routes: useCases.byRoute,
    router: createRouter(),
    load,
    share,
    readiness,
    console,
    metrics: () => parts.metrics(metrics.snapshot),
    onRejected(request) {
      metrics.requestRejected(request.code);
      logRequest(request);
    },
    onConnectionRejected() {
      metrics.connectionRejected();
      logConnection();
    },
    onIdentity: reloader.markUsed,
  });
  server = listening;
  if (parts.portHandle) shareConnections(listening);
  listening.on('connection', (socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });
  const port = await listen(listening, {
    port: options.port,
    host: options.host,
    what: 'countersign serve',
    option: '--port',
    handle: parts.portHandle,
  });
  return {
    port,
    snapshot: metrics.snapshot,
    share,
    addVerdict: (verdict) => console?.addVerdict(verdict),
    async close(deadlineMs) {
      readiness.shutDown();
      const cutOff = await closeCounting(listening, deadlineMs, load);
      close();
      return cutOff;
    },
  };
}

/** For new connections; open ones keep the certificate of their handshake. */
function setTrust(server: Server, { context }: ServerTrust): void {
  (server as unknown as TlsServer).setSecureContext(context);
}

/** @returns how many calls were in flight just before the deadline cut them off */
async function closeCounting(server: Server, deadlineMs: number, load: LoadLimit): Promise<number> {
  let cutOff = deadlineMs === 0 ? load.callsInFlight : 0;
  const count = () => {
    cutOff = load.callsInFlight;
  };
  const beforeDeadline = setTimeout(count, Math.max(1, deadlineMs - 1));
  await closeServer(server, deadlineMs);
  clearTimeout(beforeDeadline);
  return cutOff;
}

async function requireFolder(path: string): Promise<void> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`The folder of --identities cannot be read (${error.code ?? error.name}).`);
  });
  // Without this check, the server would start and find no usable identity.
  if (names.includes('private-key.pem') || names.includes('tls.key')) {
    throw new Error(`The folder of --identities is an identity itself: name its parent, ${dirname(path)}.`);
  }
}
