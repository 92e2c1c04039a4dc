// Reads and writes the fragment of the address: the view and the identity. It never contains an endpoint, because its
// query can be secret and browsers store addresses.

/** @typedef {'identities' | 'diagnose' | 'call' | 'events'} View */

/** @type {readonly View[]} */
export const views = ['identities', 'diagnose', 'call', 'events'];

/**
 * `#/diagnose/platform`
 * @returns {{ view: View, identity: string | undefined }}
 */
export function readAddress() {
  const [, view, identity] = location.hash.split('/').map(decoded);
  const known = views.find((one) => one === view) ?? 'identities';
  return { view: known, identity: identity || undefined };
}

/**
 * @param {View} view
 * @param {string} [identity]
 */
export function addressOf(view, identity) {
  return identity === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(identity)}`;
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
