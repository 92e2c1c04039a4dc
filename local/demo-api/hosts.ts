// The hosts of the demo API: one that works, and one for each way a mutual handshake fails.
import type { ErrorCode, Step } from '../../core/errors.ts';

/** How a host treats connections. */
type Behaviour =
  | { readonly kind: 'mutual-tls'; readonly certificate: 'sound' | 'expired' | 'untrusted' | 'misnamed' }
  /** Trusts the clients of another authority than the platform's. */
  | { readonly kind: 'rejecting'; readonly tls: 'TLSv1.2' | 'TLSv1.3' }
  /** Accepts only one certificate of the platform, set with `pinClient`. */
  | { readonly kind: 'pinning' }
  | { readonly kind: 'one-way-tls' }
  | { readonly kind: 'plain-http' }
  /** Accepts the connection and never responds. */
  | { readonly kind: 'silent' };

export interface DemoHost {
  /** Ends in `.localhost`, which is loopback by RFC 6761, section 6.3. */
  readonly host: string;
  /** Follows "a host that". */
  readonly does: string;
  readonly behaviour: Behaviour;
  /** The expected failure; undefined for hosts that work. */
  readonly expected?: { readonly code: ErrorCode; readonly step: Step };
  /** Members that the invocation needs for that failure. */
  readonly request?: { readonly requireMutual?: boolean; readonly timeoutMs?: number };
}

/** Their ports are consecutive, in this order. */
export const demoHosts: readonly DemoHost[] = [
  {
    host: 'accounts.demo.localhost',
    does: 'demands a client certificate, and works',
    behaviour: { kind: 'mutual-tls', certificate: 'sound' },
  },
  {
    host: 'expired.demo.localhost',
    does: 'has an expired server certificate',
    behaviour: { kind: 'mutual-tls', certificate: 'expired' },
    expected: { code: 'server-certificate-expired', step: 3 },
  },
  {
    host: 'unknown-ca.demo.localhost',
    does: 'has a server certificate of an unknown CA',
    behaviour: { kind: 'mutual-tls', certificate: 'untrusted' },
    expected: { code: 'server-certificate-untrusted', step: 3 },
  },
  {
    host: 'wrong-name.demo.localhost',
    does: 'has a server certificate for another name',
    behaviour: { kind: 'mutual-tls', certificate: 'misnamed' },
    expected: { code: 'server-certificate-name-mismatch', step: 3 },
  },
  {
    host: 'rejects.demo.localhost',
    does: 'rejects our certificate, TLS 1.3',
    behaviour: { kind: 'rejecting', tls: 'TLSv1.3' },
    expected: { code: 'client-certificate-rejected', step: 5 },
  },
  {
    host: 'rejects-tls12.demo.localhost',
    does: 'rejects our certificate, TLS 1.2',
    behaviour: { kind: 'rejecting', tls: 'TLSv1.2' },
    expected: { code: 'client-certificate-rejected', step: 5 },
  },
  {
    host: 'one-way.demo.localhost',
    does: 'never asks for a client certificate',
    behaviour: { kind: 'one-way-tls' },
    expected: { code: 'client-certificate-not-requested', step: 4 },
    request: { requireMutual: true },
  },
  {
    host: 'plain.demo.localhost',
    does: 'speaks HTTP without TLS',
    behaviour: { kind: 'plain-http' },
    expected: { code: 'server-not-tls', step: 2 },
  },
  {
    host: 'silent.demo.localhost',
    does: 'accepts the connection and stays silent',
    behaviour: { kind: 'silent' },
    expected: { code: 'handshake-timeout', step: 2 },
    request: { timeoutMs: 1000 },
  },
  {
    host: 'pins.demo.localhost',
    does: 'trusts only the certificate that was current when it was started',
    behaviour: { kind: 'pinning' },
  },
];

/** Accepts every certificate of the platform. */
export const healthyHost = 'accounts.demo.localhost';
/** Rejects the certificate of the next rotation. */
export const pinningHost = 'pins.demo.localhost';
