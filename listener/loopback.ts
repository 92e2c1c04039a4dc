// Recognises loopback: as an address to listen on, and as the Host of a request.

/** @param host an address to listen on: `localhost`, or an IP address without brackets */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
}

/**
 * Browsers resolve names below `localhost` to loopback (RFC 6761, section 6.3). They are not valid to listen on,
 * because other resolvers can return any address.
 * @param header a Host header: a name or an address, with or without a port
 */
export function isLoopbackHeader(header: string): boolean {
  const name = header
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
  return name === '[::1]' || name.endsWith('.localhost') || (name !== '::1' && isLoopback(name));
}
