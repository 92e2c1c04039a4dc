// The content of a server's handshake flight: the shape that the reader fills, and the limits that keep it small.

import type { DistinguishedName } from '../../x509/distinguished-name.ts';

/** RFC 8446, section 4.3.2; RFC 5246, section 7.4.4. In each list, empty means that the server sets no condition. */
export interface CertificateRequest {
  readonly acceptableIssuers: readonly DistinguishedName[];
  /** IANA's names, the server's order: for the handshake, and for certificates when there is no list of their own. */
  readonly signatureAlgorithms: readonly string[];
  /** `signature_algorithms_cert`, TLS 1.3 alone. */
  readonly certificateSignatureAlgorithms: readonly string[];
  /** TLS 1.2 alone: `rsa_sign`, `ecdsa_sign`, … */
  readonly certificateTypes: readonly string[];
}

interface Alert {
  readonly level: 'warning' | 'fatal';
  /** IANA's name, `unknown_ca`, or `alert_250` for a number that has none. */
  readonly description: string;
  readonly code: number;
  readonly encrypted: boolean;
  /** True once the server's Finished went by: on TLS 1.3, where a rejected client certificate shows. */
  readonly afterFinished: boolean;
}

export type Stopped =
  /** The first bytes are no TLS record. */
  | 'not-tls'
  /** SSL 3, TLS 1.0 or 1.1; `protocol` says which. */
  | 'unsupported-protocol'
  /** A TLS 1.3 cipher suite that is not known here. */
  | 'unsupported-cipher'
  | 'malformed'
  /** A limit was passed. */
  | 'too-long'
  /** A record does not open with the secret that was given. */
  | 'undecryptable'
  /** The handshake is over and the answer begins: that is nothing to read here. */
  | 'application-data'
  /** The owner closed the reader. */
  | 'closed';

/** Filled as the bytes come; what has not come yet is undefined or empty. */
export interface HandshakeCapture {
  /** `TLSv1.2`, `TLSv1.3`; an older one when the server insists on it. */
  readonly protocol: string | undefined;
  /** IANA's name, which for TLS 1.2 is not OpenSSL's; `0xabcd` for a suite that is not known here. */
  readonly cipher: string | undefined;
  /** IANA's name of the group, `DHE 2048` for TLS 1.2's own primes, undefined for RSA key exchange. */
  readonly keyExchange: string | undefined;
  readonly helloRetryRequest: boolean;
  /** The session goes on from an earlier handshake: no certificate and no request come. */
  readonly resumed: boolean;
  readonly alpn: string | undefined;
  /** DER, as served, in the served order. */
  readonly certificates: readonly Buffer[];
  /** DER of the OCSPResponse stapled for the first certificate (RFC 6066, section 8; RFC 8446, section 4.4.2.1). */
  readonly stapledOcsp: Buffer | undefined;
  /** What the server signed the handshake with. */
  readonly signatureAlgorithm: string | undefined;
  /** Undefined while it is not known, and on a resumed session, which never asks. */
  readonly asked: boolean | undefined;
  readonly request: CertificateRequest | undefined;
  /**
   * The names of the messages in the order they came. On TLS 1.2 `change_cipher_spec` is among them; what follows it is
   * encrypted and goes by its place: `finished`, then `hello_request`, with which a server starts a renegotiation.
   */
  readonly messages: readonly string[];
  /** The server's Finished was seen. */
  readonly finished: boolean;
  /** Whether our Certificate message had a certificate in it; undefined if no such message was sent, or read. */
  readonly sentCertificate: boolean | undefined;
  readonly alerts: readonly Alert[];
  /** TLS 1.2: alerts after ChangeCipherSpec, which cannot be read from outside. */
  readonly unreadableAlerts: number;
  /** Why nothing more is read. */
  readonly stopped: Stopped | undefined;
}

export const captureLimits = {
  /** Bytes of one connection that are looked at at all. */
  totalBytes: 512 * 1024,
  /** One handshake message. OpenSSL itself refuses a certificate message over 100 KiB (SSL_CTX_set_max_cert_list). */
  messageBytes: 128 * 1024,
  /** TLS 1.3 records kept until their secret comes, which is as soon as OpenSSL has read the ServerHello. */
  waitingRecords: 2048,
  /** Kept; later ones are read and dropped. */
  certificates: 32,
  /** More names than any list of public roots has; 64 KiB of them is what the field can hold. */
  issuers: 4096,
  /** Kept for the report; later ones are read and dropped. */
  messages: 64,
  alerts: 16,
} as const;
