// Fills a flight from the messages of the handshake, in the order they come, and says what each means for the records
// after it.

import { captureLimits, type HandshakeCapture, type Stopped } from './capture.ts';
import { messageName } from './code-points.ts';
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
import { type HandshakeMessage, type Suite, suites } from './records.ts';

/** A flight in the making. */
export type CaptureInProgress = {
  -readonly [Key in keyof HandshakeCapture]: HandshakeCapture[Key] extends readonly (infer Item)[]
    ? Item[]
    : HandshakeCapture[Key];
};

/** What the reader of the records has to do: nothing, stop, or change the protection. */
export type MessageEffect =
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

export function emptyCapture(): CaptureInProgress {
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
    sentCertificate: undefined,
    alerts: [],
    unreadableAlerts: 0,
    stopped: undefined,
  };
}

export function noteMessage(capture: CaptureInProgress, name: string): void {
  if (capture.messages.length < captureLimits.messages) capture.messages.push(name);
}

/** Takes the messages of one handshake in order. */
export function createMessageTaker(capture: CaptureInProgress): (message: HandshakeMessage) => MessageEffect {
  let helloDone = false;
  return ({ type, body }) => {
    noteMessage(capture, messageName(type));
    if (type === message.serverHello) {
      const hello = helloDone ? undefined : readServerHello(body);
      if (!hello || (hello.isRetryRequest && capture.helloRetryRequest)) return { stop: 'malformed' };
      helloDone = !hello.isRetryRequest;
      return takeServerHello(capture, hello);
    }
    // OpenSSL passes over a HelloRequest at any time of the handshake (RFC 5246, section 7.4.1.1).
    if (!helloDone) return type === message.helloRequest ? undefined : { stop: 'malformed' };
    return capture.protocol === 'TLSv1.3' ? takeMessage13(capture, type, body) : takeMessage12(capture, type, body);
  };
}

function takeServerHello(capture: CaptureInProgress, hello: ServerHello): MessageEffect {
  capture.protocol = hello.protocol;
  capture.cipher = hello.cipher;
  capture.keyExchange = hello.group;
  capture.helloRetryRequest ||= hello.isRetryRequest;
  capture.resumed = hello.resumed;
  capture.alpn = hello.alpn;
  if (hello.isRetryRequest || hello.protocol === 'TLSv1.2') return undefined;
  if (hello.protocol !== 'TLSv1.3') return { stop: 'unsupported-protocol' };
  const suite = suites.get(hello.cipher);
  return suite ? { protect: suite } : { stop: 'unsupported-cipher' };
}

function takeMessage13(capture: CaptureInProgress, type: number, body: Buffer): MessageEffect {
  if (capture.finished) return type === message.keyUpdate ? { changeKeys: 'update' } : undefined;
  switch (type) {
    case message.encryptedExtensions:
      return fill(capture, readEncryptedExtensions(body));
    case message.certificateRequest:
      return takeRequest(capture, readCertificateRequest13(body));
    case message.certificate:
      capture.asked ??= false;
      return fill(capture, readCertificate13(body));
    case message.compressedCertificate:
      // OpenSSL in Node is built without compression and never offers it (RFC 8879); the rest of the flight still
      // reads.
      capture.asked ??= false;
      return undefined;
    case message.certificateVerify:
      return fill(capture, readCertificateVerify(body));
    case message.finished:
      capture.finished = true;
      return { changeKeys: 'finished' };
    default:
      return undefined;
  }
}

function takeMessage12(capture: CaptureInProgress, type: number, body: Buffer): MessageEffect {
  switch (type) {
    case message.certificate:
      return fill(capture, readCertificate12(body));
    case message.certificateStatus:
      return fill(capture, readCertificateStatus(body));
    case message.serverKeyExchange:
      return fill(capture, readServerKeyExchange(body, capture.cipher ?? ''));
    case message.certificateRequest:
      return takeRequest(capture, readCertificateRequest12(body));
    case message.serverHelloDone:
      capture.asked ??= false;
      return undefined;
    default:
      return undefined;
  }
}

/** That the server asked is certain even where what it asked for cannot be read. */
function takeRequest(capture: CaptureInProgress, request: HandshakeCapture['request'] | 'too-long'): MessageEffect {
  capture.asked = true;
  return fill(capture, typeof request === 'object' ? { request } : request);
}

function fill(capture: CaptureInProgress, fields: Partial<HandshakeCapture> | 'too-long' | undefined): MessageEffect {
  if (typeof fields !== 'object') return { stop: fields ?? 'malformed' };
  Object.assign(capture, fields);
  return undefined;
}
