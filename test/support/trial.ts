// One call against one server, and what every failure must be: the right code and step, plain words, nothing left open.
import { afterEach, beforeEach, expect } from 'vitest';
import { CountersignError, type ErrorCode, errorTable } from '../../core/errors.ts';
import type { CertificateRequest, IssuedCertificate } from '../../local/authority/authority.ts';
import {
  type Authorities,
  createAuthorities,
  createShelf,
  documentOf,
  type OpenStage,
  openStage,
  type Reply,
  type Shelf,
  type StageOptions,
} from './stage.ts';

export interface PlaceOptions {
  /** In the URL; `localhost` by default. */
  readonly host?: string;
  readonly path?: string;
  /** Members of the destination beside host, port, network and serverRoots. */
  readonly destination?: object;
  /** What the platform presents; the sound one by default. */
  readonly client?: IssuedCertificate;
}

export interface CallOptions extends PlaceOptions {
  /** Members of the invocation beside the URL. */
  readonly request?: object;
  readonly remainingMs?: number;
  /** Of the expected problem, where it is not that of the code. */
  readonly step?: number;
}

export interface Trial extends Authorities {
  /** Issued by the customer's root for localhost, 127.0.0.1 and ::1. */
  readonly server: IssuedCertificate;
  /** Issued by the platform's issuer. */
  readonly client: IssuedCertificate;
  readonly stage: OpenStage;
  /** Where the stage reads its identities. */
  readonly shelf: Shelf;
  /** A server certificate that differs from the sound one in what is given. */
  serverWith(request: Partial<CertificateRequest>): IssuedCertificate;
  /** Through the door, each call under an identity of its own, so that no call reuses another's connection. */
  call(port: number, options?: CallOptions): Promise<Reply>;
  /** Another call under the identity of the last one. */
  again(request?: object): Promise<Reply>;
  /** Expects the call to fail like this; returns the problem document. */
  fails(code: ErrorCode, port: number, options?: CallOptions): Promise<Reply['body']>;
}

/**
 * Stores an identity with one destination on the shelf, under a new name for each call, and returns the URL and that
 * name.
 */
export function createPlaces(shelf: Shelf, { customerRoot }: Authorities, sound: IssuedCertificate) {
  let calls = 0;
  return (port: number, { host = 'localhost', path = '/', client = sound, destination }: PlaceOptions) => {
    const serverRoots = customerRoot.certificate;
    const identity = `case-${++calls}`;
    const destinations = [{ host, port, network: 'loopback', serverRoots, ...destination }];
    shelf.put(identity, 'v1', documentOf(client, destinations));
    return { url: `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`, identity };
  };
}

export const serverNames = ['localhost', '127.0.0.1', '::1'] as const;

/** For the whole file, wired with these options; after each of its tests nothing may be left open. */
export function useTrial(options: Omit<StageOptions, 'source'> = {}): Trial {
  const authorities = createAuthorities();
  const serverWith = (request: Partial<CertificateRequest>) =>
    authorities.customerRoot.issue({ commonName: 'api', names: serverNames, usage: 'server', ...request });
  const server = serverWith({});
  const client = authorities.platformIssuer.issue({ commonName: 'platform', usage: 'client' });
  const shelf = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
  let stage = openStage({ ...options, source: shelf });
  const placeFor = createPlaces(shelf, authorities, client);
  let last: { url: string; identity: string } | undefined;

  beforeEach(() => {
    stage = openStage({ ...options, source: shelf });
  });
  afterEach(async () => {
    stage.close();
    await nothingIsOpen(stage);
  });

  const trial: Trial = {
    ...authorities,
    server,
    client,
    shelf,
    serverWith,
    get stage() {
      return stage;
    },
    async call(port, options = {}) {
      const { url, identity } = placeFor(port, options);
      last = { url, identity };
      return await stage.invoke({ url, ...options.request }, identity, options.remainingMs);
    },
    async again(request = {}) {
      if (!last) throw new Error('There was no call before.');
      return await stage.invoke({ url: last.url, ...request }, last.identity);
    },
    async fails(code, port, options) {
      const reply = await trial.call(port, options);
      if (reply.body.code !== code) expect.fail(`Expected ${code}: ${JSON.stringify(reply.body).slice(0, 1000)}`);
      expectProblem(reply, code, options?.step ?? errorTable[code].step);
      return reply.body;
    },
  };
  return trial;
}

function expectProblem(reply: Reply, code: ErrorCode, step: number | undefined): void {
  const { status } = errorTable[code];
  expect(reply.statusCode).toBe(status);
  expect(reply.headers['content-type']).toBe('application/problem+json');
  expect(reply.body.step).toBe(step);
  for (const sentence of [reply.body.detail, reply.body.hint]) expect(sentence).toMatch(/^[A-Z].+\.$/);
  const text = JSON.stringify(reply.body);
  // OpenSSL's packed errors, its files and lines, addresses of memory, stack frames, PEM.
  expect(text).not.toMatch(
    /error:[0-9A-F]{8}|\.c(c|pp)?:\d|0x[0-9a-f]{4}|[0-9A-F]{12,}:|\bat .*\.[jt]s:|-----|node:internal/,
  );
}

/** No connection, ours or a server's in this process: a server's end when ours does. */
async function nothingIsOpen({ pool }: OpenStage): Promise<void> {
  const open = () => ({
    sockets: process.getActiveResourcesInfo().filter((name) => /^(TCPSocket|TCPConnect|TLS)Wrap$/.test(name)),
    connections: pool.openConnections,
  });
  await expect.poll(open, { timeout: 5000, interval: 5 }).toEqual({ sockets: [], connections: 0 });
}
