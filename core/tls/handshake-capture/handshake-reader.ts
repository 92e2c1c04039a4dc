// Fills a flight from the messages of the handshake, in the order they come, and says what each means for the records after it.

import { type Flight, flightLimits, type Stopped } from './capture.ts';
import { messageName } from './code-points.ts';
import { type Suite, suites } from './keys.ts';
import {
  readCertificate12,
  readCertificate13,
  readCertificateRequest12,
  readCertificateRequest13,
  readCertificateStatus,
  readCertificateVerify,
  readEncryptedExtensions,
  readServerHello,
  readServerKeyExchange,
  type ServerHello,
} from './messages.ts';
import type { HandshakeMessage } from './records.ts';

/** A flight in the making. */
export type Filling = {
  -readonly [Key in keyof Flight]: Flight[Key] extends readonly (infer Item)[] ? Item[] : Flight[Key];
};

/** What the reader of the records has to do: nothing, stop, or change the protection. */
export type Outcome =
  | undefined
  | { readonly stop: Stopped }
  /** TLS 1.3, after ServerHello. */
  | { readonly protect: Suite }
  /** TLS 1.3, after Finished and after KeyUpdate. */
  | { readonly changeKeys: 'finished' | 'update' };

const message = {
  helloRequest: 0,
  serverHello: 2,
  encryptedExtensions: 8,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  finished: 20,
  certificateStatus: 22,
  keyUpdate: 24,
  compressedCertificate: 25,
} as const;

export function emptyFlight(): Filling {
  return {
    protocol: undefined,
    cipher: undefined,
    keyExchange: undefined,
    helloRetryRequest: false,
    resumed: false,
    alpn: undefined,
    certificates: [],
    stapledOcsp: undefined,
    signatureAlgorithm: undefined,
    asked: undefined,
    request: undefined,
    messages: [],
    finished: false,
    alerts: [],
    unreadableAlerts: 0,
    stopped: undefined,
  };
}

export function noteMessage(flight: Filling, name: string): void {
  if (flight.messages.length < flightLimits.messages) flight.messages.push(name);
}

/** Takes the messages of one handshake in order. */
export function createMessageTaker(flight: Filling): (message: HandshakeMessage) => Outcome {
  let helloDone = false;
  return ({ type, body }) => {
    noteMessage(flight, messageName(type));
    if (type === message.serverHello) {
      const hello = helloDone ? undefined : readServerHello(body);
      if (!hello || (hello.isRetryRequest && flight.helloRetryRequest)) return { stop: 'malformed' };
      helloDone = !hello.isRetryRequest;
      return takeServerHello(flight, hello);
    }
    // OpenSSL passes over a HelloRequest at any time of the handshake (RFC 5246, section 7.4.1.1).
    if (!helloDone) return type === message.helloRequest ? undefined : { stop: 'malformed' };
    return flight.protocol === 'TLSv1.3' ? takeMessage13(flight, type, body) : takeMessage12(flight, type, body);
  };
}

function takeServerHello(flight: Filling, hello: ServerHello): Outcome {
  flight.protocol = hello.protocol;
  flight.cipher = hello.cipher;
  flight.keyExchange = hello.group;
  flight.helloRetryRequest ||= hello.isRetryRequest;
  flight.resumed = hello.resumed;
  flight.alpn = hello.alpn;
  if (hello.isRetryRequest || hello.protocol === 'TLSv1.2') return undefined;
  if (hello.protocol !== 'TLSv1.3') return { stop: 'unsupported-protocol' };
  const suite = suites.get(hello.cipher);
  return suite ? { protect: suite } : { stop: 'unsupported-cipher' };
}

function takeMessage13(flight: Filling, type: number, body: Buffer): Outcome {
  if (flight.finished) return type === message.keyUpdate ? { changeKeys: 'update' } : undefined;
  switch (type) {
    case message.encryptedExtensions:
      return fill(flight, readEncryptedExtensions(body));
    case message.certificateRequest:
      return takeRequest(flight, readCertificateRequest13(body));
    case message.certificate:
      flight.asked ??= false;
      return fill(flight, readCertificate13(body));
    case message.compressedCertificate:
      // OpenSSL in Node is built without compression and never offers it (RFC 8879); the rest of the flight still reads.
      flight.asked ??= false;
      return undefined;
    case message.certificateVerify:
      return fill(flight, readCertificateVerify(body));
    case message.finished:
      flight.finished = true;
      return { changeKeys: 'finished' };
    default:
      return undefined;
  }
}

function takeMessage12(flight: Filling, type: number, body: Buffer): Outcome {
  switch (type) {
    case message.certificate:
      return fill(flight, readCertificate12(body));
    case message.certificateStatus:
      return fill(flight, readCertificateStatus(body));
    case message.serverKeyExchange:
      return fill(flight, readServerKeyExchange(body, flight.cipher ?? ''));
    case message.certificateRequest:
      return takeRequest(flight, readCertificateRequest12(body));
    case message.serverHelloDone:
      flight.asked ??= false;
      return undefined;
    default:
      return undefined;
  }
}

/** That the server asked is certain even where what it asked for cannot be read. */
function takeRequest(flight: Filling, request: Flight['request'] | 'too-long'): Outcome {
  flight.asked = true;
  return fill(flight, typeof request === 'object' ? { request } : request);
}

function fill(flight: Filling, fields: Partial<Flight> | 'too-long' | undefined): Outcome {
  if (typeof fields !== 'object') return { stop: fields ?? 'malformed' };
  Object.assign(flight, fields);
  return undefined;
}
