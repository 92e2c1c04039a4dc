// Reads from the client's own flight whether it sent a certificate; a forecast from the server's request can be wrong.

import { brotliDecompressSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { captureLimits, type Stopped } from './capture.ts';
import type { CaptureInProgress } from './handshake-reader.ts';
import {
  contentOf,
  contentType,
  createMessageSplitter,
  createRecordOpener,
  createRecordSplitter,
  type HandshakeMessage,
  type RecordOpener,
  secretOfLine,
  suites,
  type TlsRecord,
} from './records.ts';

export interface SentCertificateReader {
  push(bytes: Buffer): void;
  secret(line: Buffer): void;
  /** Zeroes the secret. */
  close(): void;
}

const certificateMessage = 11;
const compressedCertificateMessage = 25;

/** By the code of RFC 8879, section 7.3. */
const decompressions = new Map<number, (bytes: Buffer, limits: { maxOutputLength: number }) => Buffer>([
  [1, inflateSync],
  [2, brotliDecompressSync],
  [3, zstdDecompressSync],
]);

/**
 * Fills `sentCertificate` of the capture, whose protocol and cipher must be there before the client answers. TLS 1.2
 * sends Certificate in the clear; TLS 1.3 under the client's own key of the handshake (RFC 8446, section 7.1).
 */
export function createSentCertificateReader(capture: CaptureInProgress): SentCertificateReader {
  const records = createRecordSplitter();
  const messages = createMessageSplitter();
  let secret: Buffer | undefined;
  let opener: RecordOpener | undefined;
  let isClosed = false;
  let total = 0;

  function close(): 'closed' {
    isClosed = true;
    secret?.fill(0);
    opener?.close();
    records.clear();
    messages.clear();
    return 'closed';
  }

  function takeRecord({ type, header, body }: TlsRecord): Stopped | undefined {
    if (type === contentType.handshake) return messages.push(body, takeMessage);
    // TLS 1.2 encrypts after it; TLS 1.3 sends one for middleboxes.
    if (type === contentType.changeCipherSpec) return capture.protocol === 'TLSv1.2' ? close() : undefined;
    const suite = suites.get(capture.cipher ?? '');
    if (type !== contentType.applicationData || !suite || !secret) return close();
    opener ??= createRecordOpener(suite, secret);
    const inner = opener.open(header, body);
    const content = inner && contentOf(inner);
    return content?.type === contentType.handshake ? messages.push(content.bytes, takeMessage) : close();
  }

  function takeMessage({ type, body }: HandshakeMessage): Stopped | undefined {
    // ClientHello is before it, and maybe again after a HelloRetryRequest.
    if (type === 1) return undefined;
    const certificate = type === compressedCertificateMessage ? decompressed(body) : body;
    if (!certificate || (type !== certificateMessage && type !== compressedCertificateMessage)) return close();
    // TLS 1.3 puts a request context before the list (RFC 8446, section 4.4.2).
    const list = capture.protocol === 'TLSv1.3' ? certificate.subarray(1 + (certificate[0] ?? 0)) : certificate;
    if (list.length >= 3) capture.sentCertificate = list.readUIntBE(0, 3) > 0;
    return close();
  }

  return {
    push(bytes) {
      if (isClosed) return;
      total += bytes.length;
      if (total > captureLimits.totalBytes || records.push(bytes, takeRecord)) close();
    },
    secret(line) {
      if (!isClosed) secret ??= secretOfLine(line, 'CLIENT_HANDSHAKE_TRAFFIC_SECRET');
    },
    close,
  };
}

/** The Certificate message, which Node's OpenSSL compresses for a server that accepts it (RFC 8879, section 4). */
function decompressed(body: Buffer): Buffer | undefined {
  const decompress = body.length > 8 ? decompressions.get(body.readUInt16BE(0)) : undefined;
  try {
    return decompress?.(body.subarray(8), { maxOutputLength: captureLimits.totalBytes });
  } catch {
    return undefined;
  }
}
