// Admits a target to one destination of the identity, or explains the refusal.
import { CountersignError } from '../errors.ts';
import { describeAddress, isAllowed } from './address.ts';
import type { Destination, Network } from './destination.ts';
import { allowedPorts, matchDestination } from './match.ts';
import type { Target } from './target.ts';

/** The destination of the target. Throws `destination-forbidden`, also for an address in the URL. */
export function admit(target: Target, destinations: readonly Destination[]): Destination {
  const destination = matchDestination(destinations, target.host, target.port);
  if (!destination) throw noDestination(target, destinations);
  if (target.address !== undefined) checkAddress(target, target.address, destination);
  return destination;
}

/**
 * Throws `destination-forbidden` if the destination cannot be reached at this address. The error omits an address from
 * the DNS: callers could use it to map an internal network.
 */
export function checkAddress(target: Target, address: string, destination: Destination): void {
  const { network } = destination;
  if (isAllowed(address, network)) return;
  const { addressClass, name } = describeAddress(address);
  const isResolved = target.address === undefined;
  const what = isResolved ? `${target.host} resolves to ${name}` : `${address} is ${name}`;
  throw new CountersignError(
    'destination-forbidden',
    addressClass === 'forbidden'
      ? `${what}; no destination can be reached there.`
      : `${what}; this destination allows ${allowances[network]}.`,
    {
      evidence: { host: target.host, ...(isResolved ? {} : { address }), addressClass, network },
      hint:
        addressClass === 'forbidden'
          ? 'The caller must correct the URL, or the operator of the DNS zone must publish the address of the API server.'
          : `If this address is intended, the platform must set the network of the destination to ${addressClass}.`,
    },
  );
}

const allowances: Readonly<Record<Network, string>> = {
  public: 'public addresses only',
  private: 'public and private addresses only',
  loopback: 'public, private and loopback addresses only',
};

/** Names the number of destinations and the ports of the requested host, never another destination. */
function noDestination({ host, port }: Target, destinations: readonly Destination[]): CountersignError {
  const count = destinations.length;
  const ports = allowedPorts(destinations, host);
  const detail =
    ports.length > 0
      ? `${host} is allowed on port ${ports.join(', ')}, not on port ${port}.`
      : `${host} is not an allowed destination of this identity (${count} ${count === 1 ? 'destination is' : 'destinations are'} configured).`;
  return new CountersignError('destination-forbidden', detail, { evidence: { host, port, destinations: count } });
}
