// The guard: lets a target through to one destination of the identity, or says why not.
import { CountersignError } from '../errors.ts';
import { describeAddress, isAllowed } from './address.ts';
import type { Destination, Network } from './destination.ts';
import { allowedPorts, matchDestination } from './match.ts';
import type { Target } from './target.ts';

/** The destination the target falls under. Throws `destination-forbidden`; an address in the URL is checked here already. */
export function admit(target: Target, destinations: readonly Destination[]): Destination {
  const destination = matchDestination(destinations, target.host, target.port);
  if (!destination) throw noDestination(target, destinations);
  if (target.address !== undefined) checkAddress(target, target.address, destination);
  return destination;
}

/**
 * Throws `destination-forbidden` when the destination may not be reached at that address. An address that the DNS gave is
 * not named: callers could map a network with it that they cannot see.
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
      ? `${what}; no destination may be reached there.`
      : `${what}; this destination allows ${allowances[network]}.`,
    {
      evidence: { host: target.host, ...(isResolved ? {} : { address }), addressClass, network },
      hint:
        addressClass === 'forbidden'
          ? 'The caller must correct the URL, or whoever runs the DNS of that name must publish the address of the API server.'
          : `If this address is meant, the platform must set the network of the destination to ${addressClass}.`,
    },
  );
}

const allowances: Readonly<Record<Network, string>> = {
  public: 'public addresses only',
  private: 'public and private addresses only',
  loopback: 'public, private and loopback addresses only',
};

/** Tells how many destinations there are and what holds for the caller's own host, never another destination's name. */
function noDestination({ host, port }: Target, destinations: readonly Destination[]): CountersignError {
  const count = destinations.length;
  const ports = allowedPorts(destinations, host);
  const detail =
    ports.length > 0
      ? `${host} is allowed on port ${ports.join(', ')}, not on port ${port}.`
      : `${host} is none of the destinations of this identity, which has ${count}.`;
  return new CountersignError('destination-forbidden', detail, { evidence: { host, port, destinations: count } });
}
