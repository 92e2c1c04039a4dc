// What an issuer is to a rotation: a certificate signing request goes in, certificates come out.

export interface SigningOrder {
  /** Name of the identity. */
  readonly identity: string;
  /** PEM, PKCS#10 (RFC 2986). The same text whenever the same order is made again. */
  readonly certificateRequest: string;
  /** The same for the same request: letters, digits and hyphens, 32 to 64 of them. */
  readonly idempotencyToken: string;
  /** Days that the current certificate was issued for, rounded: issuers date back by minutes or an hour. Absent at the first one. */
  readonly currentLifetimeDays: number | undefined;
  /** What the identity presents today, for issuers that renew over mutual TLS; absent at the first one. PEM. */
  readonly current:
    | {
        readonly privateKey: string;
        readonly certificate: string;
        readonly intermediateCertificates: string;
        readonly rootCertificate: string;
      }
    | undefined;
  /** Aborts when the rotation's time is over. */
  readonly signal: AbortSignal;
}

/** PEM, in whatever order they came; none of it is trusted before it has been put in order and checked. */
export interface Issued {
  readonly certificates: string;
}

/**
 * Throws `issuer-unavailable`, `issuer-refused`, `issued-certificate-unusable` (an answer that is not certificates), `renewal-unusable` or
 * `signature-awaited`; none quotes a key, a password, a token or the issuer's answer.
 */
export interface Issuer {
  issue(order: SigningOrder): Promise<Issued>;
}
