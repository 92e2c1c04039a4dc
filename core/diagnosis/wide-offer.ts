// Finds out why no TLS parameters are in common: offers a server everything, and reads what it chooses.
import { randomBytes } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import type { Destination } from '../destination/destination.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { type Deadline, newRequestAttempt, settleBefore } from '../tls/attempt.ts';
import { dialTarget } from '../tls/dial.ts';
import type { HandshakeCapture } from '../tls/handshake-capture/capture.ts';
import { createCaptureReader } from '../tls/handshake-capture/capture-reader.ts';
import { type NegotiationReason, negotiationFailure, negotiationReasons } from '../tls/negotiation-failure.ts';

export interface WideOfferTerms {
  readonly identity: Identity;
  readonly destination: Destination;
  readonly target: Target;
  readonly deadline: Deadline;
  readonly lookup: LookupFunction | undefined;
}

/** Milliseconds. The server has answered a ClientHello a moment ago. */
const mostMs = 3_000;

/**
 * The failure with its cause, if the server chooses something that no call offers; else `failure`. Makes a second
 * connection and sends one ClientHello: no key is agreed on, so nothing is computed for the server.
 */
export async function explainNegotiation(failure: CountersignError, terms: WideOfferTerms): Promise<CountersignError> {
  const { destination, target, deadline } = terms;
  const { reason } = failure.evidence ?? {};
  const isExplained = negotiationReasons.some((known) => known === reason && known !== 'version-limits');
  if (failure.code !== 'tls-negotiation-failed' || isExplained) return failure;
  const serverName = destination.serverName ?? target.host;
  const chosen = await settleBefore(deadline, choiceOf(serverName, terms), () => undefined, mostMs);
  const cause = chosen && unoffered(chosen, destination);
  if (!cause) return failure;
  const { reason: _ours, ...evidence } = failure.evidence ?? {};
  return negotiationFailure(
    cause.reason,
    { destination, serverName },
    {
      evidence: { ...evidence, certainty: 'observed', offered: cause.offered },
      cause: failure,
      detail: ` Offered everything, it chooses ${cause.offered}.`,
    },
  );
}

interface UnofferedChoice {
  readonly reason: NegotiationReason;
  /** What the server chose, by its name in a registry. */
  readonly offered: string;
}

const ourGroups = new Set(['X25519MLKEM768', 'x25519', 'secp256r1', 'x448', 'secp384r1', 'secp521r1']);

/** Undefined if a call offers all that the server chose. */
function unoffered(chosen: HandshakeCapture, destination: Destination): UnofferedChoice | undefined {
  const { protocol, cipher, keyExchange, signatureAlgorithm } = chosen;
  if (!protocol || !cipher) return undefined;
  if (protocol !== 'TLSv1.2' && protocol !== 'TLSv1.3') return { reason: 'tls-version', offered: protocol };
  if (protocol < destination.minTlsVersion || protocol > destination.maxTlsVersion) {
    return { reason: 'version-limits', offered: protocol };
  }
  if (/^TLS_(?:RSA|DHE)_/.test(cipher)) return { reason: 'key-exchange', offered: cipher };
  if (/^0x|_CCM_SHA256$|_CCM_8_SHA256$/.test(cipher)) return { reason: 'cipher-suite', offered: cipher };
  if (keyExchange && !ourGroups.has(keyExchange)) return { reason: 'group', offered: keyExchange };
  if (signatureAlgorithm && /_(?:sha1|md5)$/.test(signatureAlgorithm)) {
    return { reason: 'signature-algorithm', offered: signatureAlgorithm };
  }
  return undefined;
}

/** Undefined if the server cannot be reached a second time. Leaves nothing open. */
async function choiceOf(
  serverName: string,
  { identity, destination, target, lookup, deadline }: WideOfferTerms,
): Promise<HandshakeCapture | undefined> {
  const attempt = newRequestAttempt();
  const reader = createCaptureReader();
  const opened: { socket?: Socket } = {};
  try {
    const late = (): undefined => undefined;
    const dialing = dialTarget(target, destination, identity.name, lookup, attempt);
    const socket = await settleBefore(deadline, dialing, late, mostMs);
    if (!socket) return undefined;
    opened.socket = socket;
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => {
        reader.push(bytes);
        if (hasChosen(reader.capture)) resolve();
      });
      socket.on('error', () => resolve()).once('close', () => resolve());
    });
    socket.write(everything(serverName));
    await settleBefore(deadline, answered, late, mostMs);
    return reader.capture;
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined;
    throw thrown;
  } finally {
    attempt.abandoned = true;
    attempt.stop?.();
    opened.socket?.destroy();
    reader.close();
  }
}

function hasChosen({ helloRetryRequest, messages, protocol, alerts, stopped }: HandshakeCapture): boolean {
  if (helloRetryRequest || alerts.length > 0 || stopped !== undefined) return true;
  return protocol === 'TLSv1.3' || messages.includes('server_hello_done');
}

/** The offer of calls comes first, so that a server that supports a part of it chooses that part. */
const cipherSuites = [
  ...[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca9, 0xcca8, 0xc023, 0xc027, 0xc024, 0xc028],
  ...[0xc009, 0xc013, 0xc00a, 0xc014, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xc05c, 0xc05d, 0xc060, 0xc061],
  // TLS 1.3 with CCM; DHE; RSA key exchange; 3DES, Camellia and RC4; the signal of RFC 5746.
  ...[0x1304, 0x1305, 0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039, 0x009c, 0x009d, 0x003c, 0x003d],
  ...[0x002f, 0x0035, 0xc008, 0xc012, 0x0016, 0x000a, 0xc072, 0xc073, 0xc076, 0xc077, 0x0041, 0x0084, 0x0045],
  ...[0x0088, 0xc007, 0xc011, 0x0005, 0x00ff],
] as const;
const groups = [
  ...[0x001d, 0x0017, 0x001e, 0x0018, 0x0019],
  // Finite fields, Brainpool, secp256k1, and the binary curves of RFC 4492.
  ...[0x0100, 0x0101, 0x0102, 0x0103, 0x0104, 0x001a, 0x001b, 0x001c, 0x001f, 0x0020, 0x0021, 0x0016, 0x000e, 0x000d],
] as const;
const signatureAlgorithms = [
  ...[0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601, 0x0807, 0x0808],
  ...[0x0203, 0x0201],
] as const;
const versions = [0x0304, 0x0303, 0x0302, 0x0301] as const;

/**
 * ClientHello (RFC 8446, section 4.1.2) in one record. It has no key share, so that a server of TLS 1.3 names the group
 * that it wants in a HelloRetryRequest.
 */
function everything(serverName: string): Buffer {
  const name = Buffer.concat([Buffer.of(0), vector(2, Buffer.from(serverName))]);
  const extensions = Buffer.concat([
    ...(isIP(serverName) ? [] : [extension(0, vector(2, name))]),
    extension(10, vector(2, numbers(groups))),
    extension(11, Buffer.of(1, 0)),
    extension(13, vector(2, numbers(signatureAlgorithms))),
    extension(16, vector(2, vector(1, Buffer.from('http/1.1')))),
    extension(23, Buffer.alloc(0)),
    extension(43, vector(1, numbers(versions))),
    extension(45, Buffer.of(1, 1)),
    extension(51, vector(2, Buffer.alloc(0))),
  ]);
  const hello = Buffer.concat([
    Buffer.of(3, 3),
    randomBytes(32),
    vector(1, randomBytes(32)),
    vector(2, numbers(cipherSuites)),
    vector(1, Buffer.of(0)),
    vector(2, extensions),
  ]);
  return Buffer.concat([Buffer.of(22, 3, 1), vector(2, Buffer.concat([Buffer.of(1), vector(3, hello)]))]);
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([numbers([type]), vector(2, content)]);
}

function numbers(list: readonly number[]): Buffer {
  return Buffer.from(list.flatMap((number) => [number >> 8, number & 255]));
}

/** With its length in `octets` before it. */
function vector(octets: number, content: Buffer): Buffer {
  const length = Buffer.alloc(octets);
  length.writeUIntBE(content.length, 0, octets);
  return Buffer.concat([length, content]);
}
