// What counts as this machine alone: where a local server may listen, and which names its requests may be sent to.

/** @param host as it is given to a server to listen on: `localhost`, or an address without brackets */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
}

/**
 * Names below `localhost` are loopback to browsers (RFC 6761, section 6.3). To a server that is to listen they are not:
 * a resolver that asks the network for them may lead anywhere.
 * @param header a Host header: name or address, and perhaps a port
 */
export function isLoopbackHeader(header: string): boolean {
  const name = header
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
  return name === '[::1]' || name.endsWith('.localhost') || (name !== '::1' && isLoopback(name));
}
