// One request to an issuer over HTTPS: trust in the roots of the settings alone, bounded in time and size, never redirected by itself.
import { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request as startRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { collectBytes } from '../byte-collector.ts';
import { settingUnusable } from '../identity/unusable.ts';
import { pemBlocks } from '../x509/pem.ts';
import { notCertificates } from './answer-certificates.ts';
import { exchangeFailure, protocolSwitched } from './https-failure.ts';
import { checkIssuerHost, issuerLookup } from './issuer-address.ts';

export interface IssuerServer {
  /** Where requests go; a private address is allowed, because the platform itself named it, one of the cloud's own is not. */
  readonly url: URL;
  /** PEM; nothing else vouches for the server. */
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
  /** Empty unless the status is 200 or 201: what an issuer says in refusing is its own, and goes nowhere. */
  readonly body: Buffer;
}

export interface ExchangeLimits {
  /** For one request, from the look-up of the name to the last byte. */
  readonly requestTimeoutMs: number;
}

/** Certificates of 3 KB, base64 twice over, and thirty of them. */
const mostBytes = 262_144;

/** Throws `renewal-unusable` when the URL or the roots cannot serve. */
export function issuerServer(settings: { readonly url: string; readonly roots: string }): IssuerServer {
  const url = new URL(settings.url);
  if (url.protocol !== 'https:' || url.username || url.password || url.search || url.hash) {
    throw settingUnusable('renewal: issuer.url must be an https URL without credentials, query and fragment.');
  }
  checkIssuerHost(url);
  // Node takes an empty list of authorities for its own list, and text that is no certificate for an empty one.
  if (!areCertificates(settings.roots)) {
    throw settingUnusable('renewal: issuer.roots must be PEM certificates.');
  }
  return { url, roots: settings.roots };
}

function areCertificates(text: string): boolean {
  try {
    const blocks = pemBlocks(text, 'issuer.roots');
    for (const block of blocks) new X509Certificate(block.text);
    return blocks.length > 0 && blocks.every(({ label }) => label === 'CERTIFICATE');
  } catch {
    return false;
  }
}

/**
 * One answer, whatever its status. Throws `issuer-unavailable` (no connection, no trust in the server, no whole answer in
 * time), `issuer-refused` (the server turned the client certificate down with an alert), `issued-certificate-unusable`
 * (more than 256 KiB) or `renewal-unusable` (a key or certificate that OpenSSL cannot use).
 */
export function exchange(
  server: IssuerServer,
  request: IssuerRequest,
  signal: AbortSignal,
  limits: ExchangeLimits,
): Promise<IssuerAnswer> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(limits.requestTimeoutMs)]);
  // Of this request alone: a kept connection would outlive the certificate that it was opened with.
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
  return new Promise<IssuerAnswer>((resolve, reject) => {
    let outgoing: ReturnType<typeof startRequest>;
    try {
      outgoing = startRequest(optionsOf(server, request, agent, inTime));
    } catch {
      reject(settingUnusable('OpenSSL cannot use the key and certificates that the issuer is to be shown.'));
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
      // The whole body has its own way to fail: an answer that ends early is no error of the request.
      read(incoming).then((body) => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body });
      }, failed);
    });
    // Node hands the connection over with it: no answer comes any more, no error, and the signal ends nothing.
    outgoing.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      failed(protocolSwitched(statusCode ?? 0));
    });
    outgoing.on('close', () => {
      if (!isAnswered) failed(new Error('The connection was closed without an answer.'));
    });
    // Not left to Node's error for it: the time of the step must not hang on what a server does to the connection.
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
    // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
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
  const body = await collectBytes(incoming, mostBytes);
  if (body === undefined) throw notCertificates('is larger than 256 KiB', 'answer-too-large');
  return body;
}
