// An API over HTTP: one request per connection, with limits for the size and the time of the answer.
import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { LookupFunction } from 'node:net';
import { ByteCollector } from '../../core/byte-collector.ts';
import { limits, routes } from '../../core/settings.ts';
import { alertIn } from '../../core/tls/alerts.ts';
import { isLoopbackHeader } from '../../listener/loopback.ts';
import { unavailable } from '../exit-code.ts';
import type { Access } from './access.ts';
import { readDiagnosis, readInvocation } from './answers.ts';
import type { ApiAnswer, ApiQuestion, HttpApi } from './api.ts';

/** Milliseconds that a call over the network may take beyond the time that the API gives itself. */
const networkMs = 5_000;

/** Lambda's answers have at most 6 MB, or twice that as JSON inside JSON. */
const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * `url` has no query and no fragment; its path is put before the routes. `ifRefused` is the error for a refused
 * connection.
 */
export function openOverHttp(url: URL, access: Access, ifRefused?: string): HttpApi {
  const shown = url.href.replace(/\/$/, '');
  const place = `The API at ${shown}`;
  return {
    place,
    ask,
    async invoke(identity, body) {
      return readInvocation({ place }, await ask({ route: 'invocations', identity, body, timeoutMs: timeoutOf(body) }));
    },
    async diagnose(identity, body) {
      return readDiagnosis({ place }, await ask({ route: 'diagnoses', identity, body, timeoutMs: timeoutOf(body) }));
    },
    close() {},
  };

  async function ask({ route, identity = '', body, timeoutMs }: ApiQuestion): Promise<ApiAnswer> {
    const [method = '', path = ''] = routes[route].split(' ');
    const target = new URL(shown + path.replace('{identity}', identity));
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = await access.headers({
      method,
      url: target,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      },
      body: text,
    });
    try {
      return await exchange(target, { method, headers, body: text, access, withinMs: timeoutMs + networkMs });
    } catch (thrown) {
      throw toUnavailable(thrown as NodeJS.ErrnoException, {
        place,
        access,
        ifRefused,
        isPlain: url.protocol === 'http:',
      });
    }
  }
}

function timeoutOf({ timeoutMs = limits.defaultTimeoutMs }: { readonly timeoutMs?: number }): number {
  return timeoutMs;
}

interface Exchange {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
  readonly access: Access;
  readonly withinMs: number;
}

function exchange(url: URL, { method, headers, body, access, withinMs }: Exchange): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const lookup = isLoopbackHeader(url.host) ? { lookup: toLoopback } : {};
    const options = { method, headers, agent: false, signal: AbortSignal.timeout(withinMs), ...lookup } as const;
    const outgoing: ClientRequest =
      url.protocol === 'https:'
        ? requestTls(url, { ...options, ...access.tls }, take)
        : requestPlain(url, options, take);
    outgoing.once('error', reject);
    outgoing.end(body);

    function take(incoming: IncomingMessage): void {
      const collector = new ByteCollector({ maxBytes: maxAnswerBytes });
      incoming.on('data', (chunk: Buffer) => {
        if (!collector.add(chunk)) incoming.destroy(coded('too-large'));
      });
      incoming.once('error', reject);
      incoming.once('end', () => {
        const { statusCode: status = 0, headers: answered } = incoming;
        resolve({ status, headers: answered, body: collector.bytes.toString('utf8') });
      });
    }
  });
}

/** RFC 6761, section 6.3: DNS must not resolve these names, or credentials could be sent without TLS to any address. */
const toLoopback: LookupFunction = (_hostname, { all }, done) => {
  if (all !== true) return done(null, '127.0.0.1', 4);
  done(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
};

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

interface Asked {
  readonly place: string;
  readonly access: Access;
  readonly ifRefused: string | undefined;
  /** HTTP without TLS. */
  readonly isPlain: boolean;
}

/** Does not quote the error, whose message can contain names of a certificate or data of the peer. */
function toUnavailable(error: NodeJS.ErrnoException, { place, access, ifRefused, isPlain }: Asked) {
  if (error.name === 'CommanderError') return error;
  const code = codeOf(error);
  if (code === 'ECONNREFUSED' && ifRefused !== undefined) return unavailable('api-unreachable', ifRefused);
  const isLate = error.name === 'AbortError' || error.name === 'TimeoutError';
  const alert = alertIn(error);
  const why = isLate ? 'in time' : alert ? `(the alert ${alert.name})` : `(${code})`;
  return unavailable(
    'api-unreachable',
    `${place} gives no response ${why}.${alert ? afterAlert(access) : advice(code, error, access, isPlain)}`,
  );
}

/** For an answer that is not TLS Node reports EPROTO; only the message has the number of OpenSSL (openssl/sslerr.h). */
function codeOf({ code, name, message }: NodeJS.ErrnoException): string {
  const isNoTls = code === 'EPROTO' && /\berror:0A00(010B|00C6):/i.test(message);
  return isNoTls ? 'ERR_SSL_WRONG_VERSION_NUMBER' : (code ?? name);
}

const advised: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: ' Its certificate has expired, or the clock of this machine is wrong.',
  CERT_NOT_YET_VALID: ' Its certificate is not valid yet, or the clock of this machine is wrong.',
  ECONNREFUSED: ' Nothing listens at that address.',
  ENOTFOUND: ' The name does not exist.',
  ERR_SSL_WRONG_VERSION_NUMBER: ' It may expect http, not https.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ' It may expect http, not https.',
  ERR_TLS_CERT_ALTNAME_INVALID: ' Its certificate is for another name.',
  'too-large': ' The response is too large.',
};

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function advice(code: string, error: Error, { tls }: Access, isPlain: boolean): string {
  if (untrusted.has(code)) {
    return tls.ca === undefined
      ? ' Its certificate was issued by an unknown authority. Name the authority with --cacert.'
      : ' Its certificate was not issued by an authority in the file of --cacert.';
  }
  if (isPlain && wantsTls(error)) return ' It may expect https, not http.';
  return advised[code] ?? (code.startsWith('HPE_') ? ' It is not an HTTP server.' : '');
}

/**
 * The answer was a TLS alert (RFC 8446, section 5.1), or the connection was closed without an answer, as Node's servers
 * do.
 */
function wantsTls({ code, message, rawPacket }: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }): boolean {
  return code === 'ECONNRESET' ? message !== 'aborted' : rawPacket?.[0] === 0x15 && rawPacket[1] === 0x03;
}

function afterAlert({ kind }: Access): string {
  return kind === 'certificate'
    ? ' It rejects the certificate of --cert.'
    : ' It may require a client certificate: --cert and --key.';
}
