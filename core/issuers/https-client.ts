// One HTTPS request to an issuer: verified with the roots of the settings only, bounded in time and size, without
// redirects.
import { X509Certificate } from 'node:crypto';
import { type LookupAddress, lookup } from 'node:dns';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request as startRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { collectBytes } from '../byte-collector.ts';
import { isAllowed } from '../destination/address.ts';
import type { CountersignError } from '../errors.ts';
import { settingUnusable } from '../identity/unusable.ts';
import { keyExchange } from '../tls/secure-context.ts';
import { oids } from '../x509/oids.ts';
import { isTrustedFor, pemBlocks } from '../x509/pem.ts';
import { exchangeFailure, protocolSwitched } from './https-errors.ts';
import { issuedUnusable } from './issuer-response.ts';

export interface IssuerServer {
  /** May have a private address, which the platform chose, but not one of the cloud's own. */
  readonly url: URL;
  /** PEM; the only certificates that verify the server. */
  readonly roots: string;
}

export interface IssuerRequest {
  readonly method: 'GET' | 'POST';
  /** From the root of the server. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM; presented in the handshake. The root is not sent. */
  readonly client?: {
    readonly privateKey: string;
    readonly certificate: string;
    readonly intermediateCertificates: string;
  };
}

export interface IssuerAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Empty unless the status is 200 or 201: the text of a refusal is not used. */
  readonly body: Buffer;
}

export interface ExchangeLimits {
  /** Milliseconds for one request, from the name lookup to the last byte. */
  readonly requestTimeoutMs: number;
}

/** Thirty certificates of 3 KB, twice base64. */
const maxBytes = 262_144;

/** Throws `renewal-unusable` if the URL or the roots are unusable. */
export function issuerServer(settings: { readonly url: string; readonly roots: string }): IssuerServer {
  const url = new URL(settings.url);
  if (url.protocol !== 'https:' || url.username || url.password || url.search || url.hash) {
    throw settingUnusable('renewal: issuer.url must be an https URL without credentials, query and fragment.');
  }
  checkIssuerHost(url);
  const roots = rootsIn(settings.roots);
  if (roots === undefined) throw settingUnusable('renewal: issuer.roots must be PEM certificates.');
  return { url, roots };
}

/**
 * As OpenSSL reads them. Node would use its own roots for an empty list, and ignores text that is not a certificate.
 * Undefined also if one is a `TRUSTED CERTIFICATE` that is not trusted for servers.
 */
function rootsIn(text: string): string | undefined {
  try {
    const blocks = pemBlocks(text, 'issuer.roots');
    for (const block of blocks) new X509Certificate(block.text);
    const areRoots = blocks.every((block) => block.label === 'CERTIFICATE' && isTrustedFor(block, oids.serverAuth));
    return areRoots && blocks.length > 0 ? blocks.map((block) => block.text).join('') : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Sends one request; resolves with the response, whatever its status. Throws `issuer-unavailable` (no connection,
 * server not trusted, no complete response in time), `issuer-refused` (the server rejected the client certificate with
 * an alert), `issued-certificate-unusable` (more than 256 KiB) or `renewal-unusable` (OpenSSL cannot use a key or
 * certificate).
 */
export function exchange(
  server: IssuerServer,
  request: IssuerRequest,
  signal: AbortSignal,
  limits: ExchangeLimits,
): Promise<IssuerAnswer> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(limits.requestTimeoutMs)]);
  // For this request only: a kept connection would outlive the certificate that it was opened with.
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
  return new Promise<IssuerAnswer>((resolve, reject) => {
    let outgoing: ReturnType<typeof startRequest>;
    try {
      outgoing = startRequest(optionsOf(server, request, agent, inTime));
    } catch {
      reject(
        settingUnusable(
          'OpenSSL cannot use the key and certificates of the identity for the connection to the issuer.',
        ),
      );
      return;
    }
    const failed = (error: unknown) => {
      reject(exchangeFailure(error, outgoing.socket as TLSSocket | null, request.client !== undefined, inTime.aborted));
      outgoing.destroy();
    };
    outgoing.on('error', failed);
    let isAnswered = false;
    outgoing.on('response', (incoming) => {
      isAnswered = true;
      // A response that ends early is not an error of the request.
      read(incoming).then((body) => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body });
      }, failed);
    });
    // After an upgrade, Node emits no response or error, and the signal has no effect.
    outgoing.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      failed(protocolSwitched(statusCode ?? 0));
    });
    outgoing.on('close', () => {
      if (!isAnswered) failed(new Error('The connection was closed without a response.'));
    });
    // Not left to Node: the deadline must not depend on what the server does to the connection.
    inTime.addEventListener('abort', () => failed(inTime.reason), { once: true });
    outgoing.end(request.body);
  }).finally(() => agent.destroy());
}

function optionsOf(server: IssuerServer, request: IssuerRequest, agent: Agent, signal: AbortSignal): RequestOptions {
  const { client } = request;
  return {
    host: server.url.hostname.replace(/^\[|\]$/g, ''),
    port: server.url.port || 443,
    method: request.method,
    path: request.path,
    headers: {
      accept: '*/*',
      'accept-encoding': 'identity',
      ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
      ...request.headers,
    },
    agent,
    signal,
    lookup: issuerLookup(),
    ca: server.roots,
    minVersion: 'TLSv1.2',
    ...keyExchange,
    // Set here, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
    rejectUnauthorized: true,
    ...(client
      ? { key: client.privateKey, cert: `${client.certificate.trimEnd()}\n${client.intermediateCertificates}` }
      : {}),
  };
}

async function read(incoming: IncomingMessage): Promise<Buffer> {
  if (incoming.statusCode !== 200 && incoming.statusCode !== 201) {
    incoming.destroy();
    return Buffer.alloc(0);
  }
  const body = await collectBytes(incoming, maxBytes);
  if (body === undefined)
    throw issuedUnusable('answer-too-large', 'The response of the issuer is larger than 256 KiB.');
  return body;
}

type Resolve = (
  host: string,
  options: { readonly all: true; readonly order: 'verbatim' },
  callback: (error: Error | null, found: LookupAddress[]) => void,
) => void;

/** Throws `renewal-unusable` for an address that no issuer may have; `issuerLookup` checks names. */
function checkIssuerHost(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isIssuerAddress(host)) throw forbidden();
}

/** For node:https. Fails with `renewal-unusable` if one address of the name is not allowed. */
export function issuerLookup(resolve: Resolve = lookup): LookupFunction {
  return (host, { all }, callback) => {
    resolve(host, { all: true, order: 'verbatim' }, (error, found) => {
      const [first] = found ?? [];
      if (error || first === undefined) return callback(error ?? notFound(), []);
      if (found.some(({ address }) => !isIssuerAddress(address))) return callback(forbidden(), []);
      return all ? callback(null, found) : callback(null, first.address, first.family);
    });
  };
}

/** All address classes of destinations except `forbidden`: link-local, metadata, reserved, multicast. */
function isIssuerAddress(address: string): boolean {
  return isAllowed(address, 'loopback');
}

function forbidden(): CountersignError {
  return settingUnusable('renewal: issuer.url leads to a link-local, metadata or reserved address.');
}

function notFound(): Error {
  return Object.assign(new Error('No address.'), { code: 'ENOTFOUND' });
}
