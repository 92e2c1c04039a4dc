// The processes of the rotation benchmark: a customer's API, the platform with its callers, and the rotation function.
// Arguments: `customer`, `platform` or `rotation`, then those of the function of that name.
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { startLoad, wallClock } from '../../local/load-generator.ts';
import { context, type Handler, invocationEvent } from '../event.ts';

export interface CustomerOptions {
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientRoots: string;
  /** Milliseconds before each response. */
  readonly answerMs: number;
}

export interface CustomerConnection {
  /** SHA-256 of the client certificate. */
  readonly fingerprint256: string;
  requests: number;
  /** Milliseconds since 1970; undefined until then. */
  lastAnswerAt?: number;
  closedAt?: number;
}

export interface PlatformCall {
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  readonly ms: number;
  /** Of the certificate that was presented; empty for a failed call. */
  readonly fingerprint256: string;
  /** The response of a failed call. */
  readonly failure?: string;
}

export interface StepMessage {
  readonly event: object;
  readonly keyAlgorithm: string;
}

export interface StepResult {
  readonly failure?: string;
  /** Milliseconds since 1970: when AWSCURRENT was moved. */
  readonly switchedAt?: number;
}

const [mode = '', ...args] = process.argv.slice(2);
const modes: Readonly<Record<string, (...args: string[]) => unknown>> = { customer, platform, rotation };
await modes[mode]?.(...args);

/** An HTTPS server that requires a client certificate, and records which one came on which connection. */
function customer(): void {
  const connections: CustomerConnection[] = [];
  process.on('message', (message: CustomerOptions | 'report') => {
    if (message === 'report') process.send?.(connections);
    else serve(message, connections);
  });
}

function serve({ certificate, privateKey, clientRoots, answerMs }: CustomerOptions, connections: CustomerConnection[]) {
  const bySocket = new WeakMap<Socket, CustomerConnection>();
  // The server closes no connection: every close is the platform's.
  const server = createServer(
    { cert: certificate, key: privateKey, ca: clientRoots, requestCert: true, keepAliveTimeout: 0 },
    (request, response) => {
      const connection = bySocket.get(request.socket);
      if (connection) connection.requests += 1;
      setTimeout(() => {
        response.setHeader('content-type', 'application/json');
        response.end('{"balance":"1234.56"}', () => {
          if (connection) connection.lastAnswerAt = wallClock();
        });
      }, answerMs);
    },
  );
  server.on('secureConnection', (socket: TLSSocket) => {
    const { fingerprint256 = '' } = socket.getPeerCertificate();
    const connection: CustomerConnection = { fingerprint256, requests: 0 };
    connections.push(connection);
    bySocket.set(socket, connection);
    socket.on('error', () => {});
    socket.on('close', () => {
      connection.closedAt = wallClock();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

/** Calls the deployed invocation function until a message arrives, and sends what it measured. */
async function platform(url = '', callers = '', minimum = ''): Promise<void> {
  const { handler } = (await import('../../functions/invoke.ts')) as unknown as { handler: Handler };
  const event = invocationEvent(url);
  const call = async (): Promise<PlatformCall> => {
    const begunAt = wallClock();
    const { statusCode, body } = await handler(event, context);
    const ms = wallClock() - begunAt;
    const answer = JSON.parse(body);
    return statusCode === 200 && answer.status === 200
      ? { begunAt, ms, fingerprint256: answer.handshake.client.fingerprint256 }
      : { begunAt, ms, fingerprint256: '', failure: body.slice(0, 500) };
  };
  const end = new Promise((resolve) => process.once('message', resolve));
  // V8 optimizes code that runs often; these calls are not measured.
  await startLoad({ callers: Number(callers), call }).stop(50 * Number(callers));
  const load = startLoad({ callers: Number(callers), call });
  process.send?.('ready');
  await end;
  await load.stop(Number(minimum));
  process.send?.(load.results, () => process.exit(0));
}

/** Runs a step of the rotation for each message. */
async function rotation(prefix = '', authorityUrl = ''): Promise<void> {
  const [{ openIssuer }, { createRotate }, { noTelemetry }, { openVersions }] = await Promise.all([
    import('../../core/issuers/open-issuer.ts'),
    import('../../core/rotation/rotate.ts'),
    import('../../core/telemetry/telemetry.ts'),
    import('../../core/versions/versions.ts'),
  ]);
  const stored = openVersions({ prefix });
  let switchedAt: number | undefined;
  const versions: typeof stored = {
    ...stored,
    async moveStage(secretId, stage, move) {
      const outcome = await stored.moveStage(secretId, stage, move);
      if (stage === 'AWSCURRENT' && outcome === 'moved') switchedAt = wallClock();
      return outcome;
    },
  };
  process.on('message', async ({ event, keyAlgorithm }: StepMessage) => {
    switchedAt = undefined;
    const rotate = createRotate({
      telemetry: noTelemetry,
      prefix,
      versions,
      openIssuer,
      events: { publish: async () => {} },
      renewals: { platform: { issuer: { kind: 'local', url: authorityUrl }, keyAlgorithm } },
      now: Date.now,
      sleep: (ms) => wait(ms),
    });
    try {
      await rotate(event, { requestId: 'bench', remainingMs: 60_000 });
      process.send?.({ ...(switchedAt === undefined ? {} : { switchedAt }) } satisfies StepResult);
    } catch (error) {
      process.send?.({ failure: error instanceof Error ? error.message : String(error) } satisfies StepResult);
    }
  });
  process.send?.('ready');
}
