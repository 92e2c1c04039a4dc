// Options of one handshake with a server on loopback, for tests that call performHandshake itself.
import type { SecureContext } from 'node:tls';
import type { Destination } from '../../../core/destination/destination.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import type { HandshakeOptions } from '../../../core/tls/handshake.ts';

export function handshakeOptions(
  host: string,
  context: SecureContext,
  change: Partial<Destination> = {},
): HandshakeOptions {
  const destination: Destination = {
    host,
    port: 443,
    minTlsVersion: 'TLSv1.2',
    maxTlsVersion: 'TLSv1.3',
    requireMutual: false,
    network: 'loopback',
    ...change,
  };
  return { destination, target: parseTarget(`https://${host}/`), context, requireMutual: false, now: Date.now };
}
