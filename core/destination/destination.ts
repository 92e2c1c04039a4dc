// A destination: an endpoint that an identity may be presented to, and how to reach and trust it.

type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** Which addresses a destination may resolve to; each allows what the ones before it allow. */
export type Network = 'public' | 'private' | 'loopback';

/** A harmless request that proves that access is granted. */
interface Probe {
  readonly method: string;
  readonly path: string;
  readonly expectStatus: number;
}

export interface Destination {
  /** Exact name or address, `*.example.com` for exactly one label, or `*`; lower case, no trailing dot. */
  readonly host: string;
  readonly port: number;
  /** SNI, the Host header, and the name the certificate must carry, when they differ from the host. */
  readonly serverName?: string;
  /** PEM; when present, only these are trusted. */
  readonly serverRoots?: string;
  /** `sha256/<base64 of SHA-256 of the SPKI>` (RFC 7469, section 2.4); one certificate of the chain must match. */
  readonly serverPins?: readonly string[];
  readonly minTlsVersion: TlsVersion;
  readonly maxTlsVersion: TlsVersion;
  /** Fail closed when the server never asks for a client certificate. */
  readonly requireMutual: boolean;
  readonly network: Network;
  readonly probe?: Probe;
}
