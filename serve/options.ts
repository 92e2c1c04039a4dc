// The options of `countersign serve`: their names and defaults in one table, and what they mean once they are checked.

import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { defaults, limits } from '../core/settings.ts';
import { isLoopback } from '../listener/loopback.ts';

export interface ServeLimits {
  /** Calls in flight in one process; further ones are told `too-busy`. */
  readonly maxCalls: number;
  /** Open at once in one process; further ones are closed. */
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  /** The request line and all headers together. */
  readonly maxHeaderBytes: number;
  /** Of all bodies that one process holds at once; a call whose body does not fit is told `too-busy`. */
  readonly maxBufferedBytes: number;
  /** From the first byte of a connection or request to the end of its headers. */
  readonly headerMs: number;
  /** The same to the end of its body; and from the end of an answer until the caller has read it. */
  readonly requestMs: number;
  /** How long a connection may be idle between two requests. */
  readonly keepAliveMs: number;
}

export interface ServeOptions {
  /** Absolute path of the folder that holds one folder for each identity. */
  readonly identities: string;
  /** An address, or `localhost`. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Absolute paths of PEM files; undefined serves plain HTTP, which only loopback may. */
  readonly tls:
    | { readonly certificate: string; readonly key: string; readonly clientCa: string | undefined }
    | undefined;
  /** Absolute path; undefined lets every caller use every identity, which only loopback may. */
  readonly callers: string | undefined;
  /** 1 serves in this process. */
  readonly workers: number;
  readonly identityTtlMs: number;
  /** Whether there is a page for people at `/`. */
  readonly console: boolean;
  readonly limits: ServeLimits;
  /** How long calls in flight may take to end once the server is to stop. */
  readonly shutdownMs: number;
  /** URL of the folder that holds errors.md, with a slash at its end. */
  readonly docsUrl: string;
}

export interface ServeFlag {
  /** As commander wants it: `--port <number>`. */
  readonly flags: string;
  readonly default: string | undefined;
  /** Half a sentence. */
  readonly means: string;
}

/** What the command line offers and docs/on-premises.md lists. The keys are commander's: camel case without the dashes. */
export const serveFlags = {
  identities: {
    flags: '--identities <folder>',
    default: undefined,
    means: 'holds one folder for each identity; required',
  },
  host: {
    flags: '--host <address>',
    default: '127.0.0.1',
    means: 'where to listen; any but loopback needs TLS and callers',
  },
  port: { flags: '--port <number>', default: '8080', means: 'where to listen; 0 takes a free one' },
  tlsCert: {
    flags: '--tls-cert <file>',
    default: undefined,
    means: 'PEM, the certificate of this server and its intermediates',
  },
  tlsKey: { flags: '--tls-key <file>', default: undefined, means: 'PEM, its private key, not encrypted' },
  clientCa: {
    flags: '--client-ca <file>',
    default: undefined,
    means: 'PEM, the authorities whose client certificates callers may present',
  },
  callers: {
    flags: '--callers <file>',
    default: undefined,
    means: 'JSON, who may call, and which identities each may use',
  },
  workers: {
    flags: '--workers <number>',
    default: 'one for each processor',
    means: 'processes that serve; 1 serves in the process itself',
  },
  identityTtlSeconds: {
    flags: '--identity-ttl-seconds <number>',
    default: '5',
    means: 'after that the files of an identity are read again',
  },
  maxCalls: {
    flags: '--max-calls <number>',
    default: '1000',
    means: 'calls in flight in one process; beyond, 503 with Retry-After',
  },
  maxConnections: {
    flags: '--max-connections <number>',
    default: '5000',
    means: 'connections open in one process; beyond, closed',
  },
  maxBodyBytes: {
    flags: '--max-body-bytes <number>',
    default: String(limits.maxEventBytes),
    means: 'of one request; beyond, 413',
  },
  maxHeaderBytes: { flags: '--max-header-bytes <number>', default: '16384', means: 'of one request; beyond, 431' },
  maxBufferedBytes: {
    flags: '--max-buffered-bytes <number>',
    default: '268435456',
    means: 'of all request bodies in one process; beyond, 503 with Retry-After',
  },
  headerSeconds: {
    flags: '--header-seconds <number>',
    default: '10',
    means: 'for the headers of a request to arrive; beyond, 408',
  },
  requestSeconds: {
    flags: '--request-seconds <number>',
    default: '30',
    means: 'for a whole request to arrive (beyond, 408), and for an answer to be read',
  },
  keepAliveSeconds: {
    flags: '--keep-alive-seconds <number>',
    default: '65',
    means: 'that a connection may be idle between two requests',
  },
  shutdownSeconds: {
    flags: '--shutdown-seconds <number>',
    default: '30',
    means: 'for calls in flight to end when the server is stopped',
  },
  console: { flags: '--no-console', default: undefined, means: 'no page for people at /' },
  docsUrl: {
    flags: '--docs-url <url>',
    default: defaults.docsUrl,
    means: 'where docs/ is published, for the type of a problem document',
  },
} as const satisfies Record<string, ServeFlag>;

/** As commander gives them: texts, and `false` for `--no-console`. */
export type RawServeOptions = {
  readonly [Name in Exclude<keyof typeof serveFlags, 'console'>]?: string | undefined;
} & { readonly console?: boolean | undefined };

type WithValue = Exclude<keyof RawServeOptions, 'console'>;

/** Throws an Error that names the option and what it may be. Relative paths start at `folder`. */
export function readServeOptions(raw: RawServeOptions, folder: string = process.cwd()): ServeOptions {
  const path = (name: WithValue) => {
    const value = raw[name];
    if (value === undefined) return undefined;
    if (value === '') throw new Error(`${optionOf(name)} must name a file.`);
    return isAbsolute(value) ? value : resolve(folder, value);
  };
  if (!raw.identities) throw new Error('--identities must name the folder that holds the identities.');
  const host = raw.host ?? serveFlags.host.default;
  if (isIP(host) === 0 && host !== 'localhost') throw new Error('--host must be an IP address or localhost.');
  const options: ServeOptions = {
    identities: path('identities') as string,
    host,
    port: whole(raw, 'port', 0, 65_535),
    tls: tlsFiles(path('tlsCert'), path('tlsKey'), path('clientCa')),
    callers: path('callers'),
    workers: raw.workers === undefined ? availableParallelism() : whole(raw, 'workers', 1, 256),
    identityTtlMs: whole(raw, 'identityTtlSeconds', 1, 86_400) * 1000,
    console: raw.console ?? true,
    limits: {
      maxCalls: whole(raw, 'maxCalls', 1, 100_000),
      maxConnections: whole(raw, 'maxConnections', 1, 1_000_000),
      maxBodyBytes: whole(raw, 'maxBodyBytes', 1024, limits.maxEventBytes),
      maxHeaderBytes: whole(raw, 'maxHeaderBytes', 1024, 1_048_576),
      maxBufferedBytes: whole(raw, 'maxBufferedBytes', limits.maxEventBytes, Number.MAX_SAFE_INTEGER),
      headerMs: whole(raw, 'headerSeconds', 1, 3_600) * 1000,
      requestMs: whole(raw, 'requestSeconds', 1, 3_600) * 1000,
      keepAliveMs: whole(raw, 'keepAliveSeconds', 1, 3_600) * 1000,
    },
    shutdownMs: whole(raw, 'shutdownSeconds', 0, 3_600) * 1000,
    docsUrl: docsUrl(raw.docsUrl ?? serveFlags.docsUrl.default),
  };
  requireSafety(options);
  return options;
}

/** Throws an Error with one sentence. Plain HTTP and callers that nobody asked for a name are for loopback alone. */
export function requireSafety({ host, tls, callers, limits: { headerMs, requestMs } }: ServeOptions): void {
  if (!isLoopback(host)) {
    if (!tls) throw new Error(`--host ${host} is not loopback, so it needs --tls-cert and --tls-key.`);
    if (!callers) throw new Error(`--host ${host} is not loopback, so it needs --callers: who may use which identity.`);
  }
  if (tls?.clientCa && !callers) throw new Error('--client-ca needs --callers: which subject may use which identity.');
  if (headerMs > requestMs) throw new Error('--header-seconds must not be more than --request-seconds.');
}

function tlsFiles(certificate?: string, key?: string, clientCa?: string): ServeOptions['tls'] {
  if (certificate !== undefined && key !== undefined) return { certificate, key, clientCa };
  if (certificate !== undefined || key !== undefined) throw new Error('--tls-cert and --tls-key go together.');
  if (clientCa !== undefined) throw new Error('--client-ca needs --tls-cert and --tls-key.');
  return undefined;
}

function whole(raw: RawServeOptions, name: WithValue, least: number, most: number): number {
  const value = raw[name] ?? serveFlags[name].default ?? '';
  const number = Number(value);
  if (!/^\d{1,16}$/.test(value) || number < least || number > most) {
    throw new Error(`${optionOf(name)} must be a whole number from ${least} to ${most}.`);
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
