// The options of `countersign serve`: one table of names and defaults, their validation, and the limits that fit the
// system.

import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { defaults, limits } from '../core/settings.ts';
import { isLoopback } from '../listener/loopback.ts';

export interface ServeLimits {
  /** Calls in flight in one process; further calls get `too-busy`. */
  readonly maxCalls: number;
  /** Connections open in one process; further connections are closed. */
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  /** Of the request line and all headers together. */
  readonly maxHeaderBytes: number;
  /** Of all request bodies in one process; a call whose body does not fit gets `too-busy`. */
  readonly maxBufferedBytes: number;
  /** From the first byte of a connection or request to the end of its headers. */
  readonly headerMs: number;
  /** From the first byte to the end of the body, and from the end of an answer until the caller has read it. */
  readonly requestMs: number;
  /** How long a connection may be idle between two requests. */
  readonly keepAliveMs: number;
}

export interface ServeOptions {
  /** Absolute path of the folder that holds one folder for each identity. */
  readonly identities: string;
  /** An address, or `localhost`. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Absolute paths of PEM files. Undefined: plain HTTP, allowed on loopback only. */
  readonly tls:
    | { readonly certificate: string; readonly key: string; readonly clientCa: string | undefined }
    | undefined;
  /** Absolute path. Undefined: every caller can use every identity, allowed on loopback only. */
  readonly callers: string | undefined;
  /** 1 serves in this process. */
  readonly workers: number;
  readonly identityTtlMs: number;
  /** Whether the console is served at `/`. */
  readonly console: boolean;
  readonly limits: ServeLimits;
  /** How long calls in flight can take to end after a stop signal. */
  readonly shutdownMs: number;
  /** URL of the folder that contains errors.md, with a slash at its end. */
  readonly docsUrl: string;
}

export interface ServeFlag {
  /** In commander's syntax: `--port <number>`. */
  readonly flags: string;
  readonly default: string | undefined;
  /** A phrase without a full stop, for the help and docs/on-premises.md. */
  readonly means: string;
}

/** For the command line and docs/on-premises.md. The keys are commander's: camel case without the dashes. */
export const serveFlags = {
  identities: {
    flags: '--identities <folder>',
    default: undefined,
    means: 'contains one folder for each identity; required',
  },
  host: {
    flags: '--host <address>',
    default: '127.0.0.1',
    means: 'address to listen on; any but loopback needs TLS and callers',
  },
  port: { flags: '--port <number>', default: '8080', means: 'port to listen on; 0 takes a free port' },
  tlsCert: {
    flags: '--tls-cert <file>',
    default: undefined,
    means: 'PEM: the certificate of this server and its intermediates',
  },
  tlsKey: { flags: '--tls-key <file>', default: undefined, means: 'PEM: its private key, not encrypted' },
  clientCa: {
    flags: '--client-ca <file>',
    default: undefined,
    means: 'PEM: the CAs that issue the client certificates of callers',
  },
  callers: {
    flags: '--callers <file>',
    default: undefined,
    means: 'JSON: who can call, and which identities each caller can use',
  },
  workers: {
    flags: '--workers <number>',
    default: 'one for each processor',
    means: 'processes that serve; 1 starts no worker process',
  },
  identityTtlSeconds: {
    flags: '--identity-ttl-seconds <number>',
    default: '5',
    means: 'how soon changed files of an identity are used',
  },
  maxCalls: {
    flags: '--max-calls <number>',
    default: '1000',
    means: 'calls in flight in one process; above: 503 with Retry-After',
  },
  maxConnections: {
    flags: '--max-connections <number>',
    default: '5000',
    means: 'connections open in one process; further ones are closed',
  },
  maxBodyBytes: {
    flags: '--max-body-bytes <number>',
    default: String(limits.maxEventBytes),
    means: 'size of a request body; above: 413',
  },
  maxHeaderBytes: {
    flags: '--max-header-bytes <number>',
    default: '16384',
    means: 'size of the headers of a request; above: 431',
  },
  maxBufferedBytes: {
    flags: '--max-buffered-bytes <number>',
    default: '268435456',
    means: 'size of all request bodies in one process; above: 503 with Retry-After',
  },
  headerSeconds: {
    flags: '--header-seconds <number>',
    default: '10',
    means: 'time for the headers of a request to arrive; above: 408',
  },
  requestSeconds: {
    flags: '--request-seconds <number>',
    default: '30',
    means: 'time for a whole request to arrive (above: 408), and for its response to be read',
  },
  keepAliveSeconds: {
    flags: '--keep-alive-seconds <number>',
    default: '65',
    means: 'time that a connection can be idle between two requests',
  },
  shutdownSeconds: {
    flags: '--shutdown-seconds <number>',
    default: '30',
    means: 'time for calls in flight to end when the server stops',
  },
  console: { flags: '--no-console', default: undefined, means: 'do not serve the console at /' },
  docsUrl: {
    flags: '--docs-url <url>',
    default: defaults.docsUrl,
    means: 'where docs/ is published, for the type of a problem document',
  },
} as const satisfies Record<string, ServeFlag>;

/** As commander parses them: strings, and `false` for `--no-console`. */
export type RawServeOptions = {
  readonly [Name in Exclude<keyof typeof serveFlags, 'console'>]?: string | undefined;
} & { readonly console?: boolean | undefined };

type WithValue = Exclude<keyof RawServeOptions, 'console'>;

/** Throws an Error that names the option and its valid values. Relative paths start at `folder`. */
export function readServeOptions(raw: RawServeOptions, folder: string = process.cwd()): ServeOptions {
  const path = (name: WithValue) => {
    const value = raw[name];
    if (value === undefined) return undefined;
    if (value === '') throw new Error(`${optionOf(name)} must name a file.`);
    return isAbsolute(value) ? value : resolve(folder, value);
  };
  if (!raw.identities) throw new Error('--identities must name the folder that contains the identities.');
  const host = raw.host ?? serveFlags.host.default;
  if (isIP(host) === 0 && host !== 'localhost') throw new Error('--host must be an IP address or localhost.');
  const options: ServeOptions = {
    identities: path('identities') as string,
    host,
    port: parseInteger(raw, 'port', 0, 65_535),
    tls: tlsOptions(path('tlsCert'), path('tlsKey'), path('clientCa')),
    callers: path('callers'),
    workers: raw.workers === undefined ? availableParallelism() : parseInteger(raw, 'workers', 1, 256),
    identityTtlMs: parseInteger(raw, 'identityTtlSeconds', 1, 86_400) * 1000,
    console: raw.console ?? true,
    limits: {
      maxCalls: parseInteger(raw, 'maxCalls', 1, 100_000),
      maxConnections: parseInteger(raw, 'maxConnections', 1, 1_000_000),
      maxBodyBytes: parseInteger(raw, 'maxBodyBytes', 1024, limits.maxEventBytes),
      maxHeaderBytes: parseInteger(raw, 'maxHeaderBytes', 1024, 1_048_576),
      maxBufferedBytes: parseInteger(raw, 'maxBufferedBytes', limits.maxEventBytes, Number.MAX_SAFE_INTEGER),
      headerMs: parseInteger(raw, 'headerSeconds', 1, 3_600) * 1000,
      requestMs: parseInteger(raw, 'requestSeconds', 1, 3_600) * 1000,
      keepAliveMs: parseInteger(raw, 'keepAliveSeconds', 1, 3_600) * 1000,
    },
    shutdownMs: parseInteger(raw, 'shutdownSeconds', 0, 3_600) * 1000,
    docsUrl: docsUrl(raw.docsUrl ?? serveFlags.docsUrl.default),
  };
  requireSafeOptions(options);
  return options;
}

/** Throws an Error with one sentence. Plain HTTP, and calls without authentication, are for loopback only. */
export function requireSafeOptions({ host, tls, callers, limits: { headerMs, requestMs } }: ServeOptions): void {
  if (!isLoopback(host)) {
    if (!tls) throw new Error(`--host ${host} is not loopback, so it needs --tls-cert and --tls-key.`);
    if (!callers) throw new Error(`--host ${host} is not loopback, so it needs --callers: who can use which identity.`);
  }
  if (tls?.clientCa && !callers) throw new Error('--client-ca needs --callers: which subject can use which identity.');
  if (headerMs > requestMs) throw new Error('--header-seconds must not be more than --request-seconds.');
}

function tlsOptions(certificate?: string, key?: string, clientCa?: string): ServeOptions['tls'] {
  if (certificate !== undefined && key !== undefined) return { certificate, key, clientCa };
  if (certificate !== undefined || key !== undefined)
    throw new Error('--tls-cert and --tls-key must be given together.');
  if (clientCa !== undefined) throw new Error('--client-ca needs --tls-cert and --tls-key.');
  return undefined;
}

function parseInteger(raw: RawServeOptions, name: WithValue, min: number, max: number): number {
  const value = raw[name] ?? serveFlags[name].default ?? '';
  const number = Number(value);
  if (!/^\d{1,16}$/.test(value) || number < min || number > max) {
    throw new Error(`${optionOf(name)} must be a whole number from ${min} to ${max}.`);
  }
  return number;
}

function optionOf(name: keyof RawServeOptions): string {
  return serveFlags[name].flags.split(' ')[0] ?? '';
}

function docsUrl(value: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) throw new Error('--docs-url must be an http or https URL.');
  return value.endsWith('/') ? value : `${value}/`;
}

/**
 * Files that a process needs besides connections: files that it reads, pipes, the listening socket, the event loop's.
 */
const reservedDescriptors = 48;

/**
 * Connections to APIs, idle ones included, that the descriptors allow beside those of callers. Undefined: the default.
 */
export function apiConnections({ maxConnections }: ServeLimits, openFiles: number | undefined): number | undefined {
  if (openFiles === undefined) return undefined;
  return Math.max(1, Math.min(Math.floor(openFiles * 0.75), openFiles - reservedDescriptors - maxConnections));
}

/**
 * Lowers `maxConnections` to what `openFiles` allows. A call needs a descriptor for its caller and one for the
 * customer's
 * API: without the second one, an admitted call would fail.
 * @returns the limits, and a sentence for the log if they were lowered
 */
export function fitConnections(limits: ServeLimits, openFiles: number | undefined): [ServeLimits, string?] {
  const { maxConnections, maxCalls } = limits;
  const needed = maxConnections + Math.min(maxCalls, maxConnections) + reservedDescriptors;
  if (openFiles === undefined || needed <= openFiles) return [limits];
  const available = openFiles - reservedDescriptors;
  const fitting = Math.max(1, available - maxCalls, Math.floor(available / 2));
  const sentence = `A process can open ${openFiles} files here, but --max-connections ${maxConnections} with --max-calls ${maxCalls} needs ${needed}: each process accepts ${fitting} connections. Raise the limit (ulimit -n, LimitNOFILE).`;
  return [{ ...limits, maxConnections: fitting }, sentence];
}
