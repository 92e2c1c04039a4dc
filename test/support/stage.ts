// What every scenario needs: authorities, an identity, Countersign's own door in front of it, and the lines it wrote.
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import type { LookupFunction } from '../../core/destination/resolve.ts';
import type { IdentityCache } from '../../core/identity/cache.ts';
import type { IdentitySource, Stage, StoredIdentity } from '../../core/identity/identity.ts';
import type { Fallback } from '../../core/invocation/fallback.ts';
import { invocationRoute } from '../../core/invocation/invoke.ts';
import { openServices } from '../../core/invocation/services.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import type { Telemetry } from '../../core/telemetry/telemetry.ts';
import type { Pool, PoolLimits } from '../../core/tls/connection-pool.ts';
import { apiHandler } from '../../functions/api-gateway/handler.ts';
import { type Authority, createAuthority, type IssuedCertificate } from '../../local/authority/authority.ts';

/** The platform's authorities and the customer's, made anew for each file. */
export interface Authorities {
  readonly platformRoot: Authority;
  readonly platformIssuer: Authority;
  readonly customerRoot: Authority;
}

export function createAuthorities(): Authorities {
  const platformRoot = createAuthority({ commonName: 'Platform Root' });
  return {
    platformRoot,
    platformIssuer: platformRoot.intermediate({ commonName: 'Platform Issuer' }),
    customerRoot: createAuthority({ commonName: 'Customer Root' }),
  };
}

/** The identity document of a certificate, with these destinations. */
export function documentOf(issued: IssuedCertificate, destinations: readonly object[]): string {
  return JSON.stringify({
    privateKey: issued.privateKey,
    certificate: issued.certificate,
    intermediateCertificates: issued.intermediates,
    rootCertificate: issued.root,
    destinations,
  });
}

/** A store in memory whose content and behaviour the test sets: for when the store itself is not what is tried. */
export interface Shelf extends IdentitySource {
  /** At AWSCURRENT if no stage is given. */
  put(name: string, version: string, document: string, stage?: Stage): void;
  remove(name: string): void;
  /** Called before each read; may throw or wait. */
  beforeRead: ((name: string) => Promise<void> | void) | undefined;
  readonly reads: number;
  /** Of each read so far. */
  readonly stagesRead: readonly Stage[];
}

export function createShelf(notFound: (name: string) => Error): Shelf {
  const stored = new Map<string, StoredIdentity>();
  const stagesRead: Stage[] = [];
  const shelf: Shelf = {
    get reads() {
      return stagesRead.length;
    },
    stagesRead,
    beforeRead: undefined,
    put(name, version, document, stage = 'AWSCURRENT') {
      stored.set(`${name} ${stage}`, { version, stage, document });
    },
    remove(name) {
      for (const stage of ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS']) stored.delete(`${name} ${stage}`);
    },
    async read(name, stage) {
      stagesRead.push(stage);
      await shelf.beforeRead?.(name);
      const found = stored.get(`${name} ${stage}`);
      if (!found) throw notFound(name);
      return found;
    },
  };
  return shelf;
}

export interface Reply {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  // The contract's answer or problem document: each scenario asserts on the members it is about.
  // biome-ignore lint/suspicious/noExplicitAny: reason above
  readonly body: any;
}

export interface OpenStage {
  readonly identities: IdentityCache;
  readonly pool: Pool;
  readonly fallback: Fallback;
  /** Every line that was written, parsed. */
  readonly lines: Record<string, unknown>[];
  /** The raw text of them all. */
  logText(): string;
  invoke(request: object, identity?: string, remainingMs?: number): Promise<Reply>;
  close(): void;
}

export interface StageOptions {
  readonly source: IdentitySource;
  readonly ttlMs?: number;
  /** For identities and connections alike. */
  readonly now?: () => number;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
  readonly poolLimits?: PoolLimits;
}

/** Wired as functions/invoke.ts is. */
export function openStage(options: StageOptions): OpenStage {
  const lines: string[] = [];
  const telemetry: Telemetry = { write: (line) => lines.push(line) };
  const { ttlMs = 60_000, poolLimits, ...rest } = options;
  const services = openServices({ ...rest, telemetry, ttlMs, ...(poolLimits ? { limits: poolLimits } : {}) });
  const door = apiHandler(
    {
      docsUrl: 'https://docs.example/',
      onInternalError: recordInternalError.bind(undefined, telemetry),
      routeKeepsDeadline: true,
    },
    invocationRoute(services),
  );
  return {
    identities: services.identities,
    pool: services.pool,
    fallback: services.fallback,
    get lines() {
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    logText: () => lines.join(''),
    async invoke(request, identity = 'platform', remainingMs = 29_000) {
      const answer = await door(invocationEvent(request, identity), lambdaContext(remainingMs));
      return {
        statusCode: answer.statusCode ?? 0,
        headers: answer.headers as Record<string, string>,
        body: JSON.parse(answer.body ?? 'null'),
      };
    },
    close: services.close,
  };
}

/** API Gateway's payload format 2.0 (AWS: Working with AWS Lambda proxy integrations for HTTP APIs). */
export function invocationEvent(request: object, identity: string): APIGatewayProxyEventV2 {
  const path = `/v1/identities/${identity}/invocations`;
  return {
    version: '2.0',
    routeKey: 'POST /v1/identities/{identity}/invocations',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/json' },
    pathParameters: { identity },
    requestContext: {
      accountId: '123456789012',
      apiId: 'api',
      domainName: 'api.execute-api.eu-central-1.amazonaws.com',
      domainPrefix: 'api',
      http: { method: 'POST', path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
      requestId: `request-${++requests}`,
      routeKey: 'POST /v1/identities/{identity}/invocations',
      stage: '$default',
      time: '22/Nov/2026:00:00:00 +0000',
      timeEpoch: 0,
    },
    isBase64Encoded: false,
    body: JSON.stringify(request),
  };
}

let requests = 0;

export function lambdaContext(remainingMs: number): Context {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: 'invoke',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:eu-central-1:123456789012:function:invoke',
    memoryLimitInMB: '512',
    awsRequestId: '00000000-0000-4000-8000-000000000000',
    logGroupName: 'invoke',
    logStreamName: 'invoke',
    getRemainingTimeInMillis: () => remainingMs,
    done() {},
    fail() {},
    succeed() {},
  };
}
