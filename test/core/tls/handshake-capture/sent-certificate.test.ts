// The client's flight with a compressed certificate (RFC 8879), as Node sends it to OpenSSL 3.5 of Debian 13.
import { brotliCompressSync, deflateSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { CaptureInProgress } from '../../../../core/tls/handshake-capture/handshake-reader.ts';
import { createSentCertificateReader } from '../../../../core/tls/handshake-capture/sent-certificate.ts';
import { createSealer, keyLogLine, message, number, vector } from '../../../support/handshake-capture/seal.ts';

const suite = 'TLS_AES_128_GCM_SHA256';
const secret = Buffer.alloc(32, 5);
const certificate = Buffer.concat([vector(1), vector(3, vector(3, Buffer.alloc(900, 1)), vector(2))]);
const empty = Buffer.concat([vector(1), vector(3)]);

function sentIn(algorithm: number, compressed: Buffer, length: number): boolean | undefined {
  const capture = { protocol: 'TLSv1.3', cipher: suite, sentCertificate: undefined } as CaptureInProgress;
  const reader = createSentCertificateReader(capture);
  reader.secret(keyLogLine('CLIENT_HANDSHAKE_TRAFFIC_SECRET', secret));
  const body = message(25, number(algorithm, 2), number(length, 3), vector(3, compressed));
  reader.push(createSealer(suite, secret)(22, body));
  reader.close();
  return capture.sentCertificate;
}

it.each([
  ['zlib', 1, deflateSync],
  ['Brotli', 2, brotliCompressSync],
  ['Zstandard', 3, zstdCompressSync],
] as const)('reads a certificate compressed by %s', (_name, algorithm, compress) => {
  expect(sentIn(algorithm, compress(certificate), certificate.length)).toBe(true);
  expect(sentIn(algorithm, compress(empty), empty.length)).toBe(false);
});

it.each([
  ['an unknown algorithm', 9, deflateSync(certificate)],
  ['bytes that are not compressed', 1, certificate],
  ['more than the limit of a capture', 1, deflateSync(Buffer.alloc(1024 * 1024))],
  ['nothing', 1, Buffer.alloc(0)],
] as const)('does not know after %s', (_name, algorithm, bytes) => {
  expect(sentIn(algorithm, bytes, 900)).toBeUndefined();
});
