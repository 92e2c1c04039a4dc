// What the part of the address after the # says: which view, which identity, which endpoint.

/** @typedef {'identities' | 'diagnose' | 'call' | 'events'} View */

/** @type {readonly View[]} */
export const views = ['identities', 'diagnose', 'call', 'events'];

/**
 * `#/diagnose/platform/https%3A%2F%2Fapi.example%2F`
 * @returns {{ view: View, identity: string | undefined, url: string | undefined }}
 */
export function readAddress() {
  const [, view, identity, url] = location.hash.split('/').map(decoded);
  const known = views.find((one) => one === view) ?? 'identities';
  return { view: known, identity: identity || undefined, url: url || undefined };
}

/**
 * @param {View} view
 * @param {string} [identity]
 * @param {string} [url]
 */
export function addressOf(view, identity, url) {
  return ['#', view, identity, url]
    .filter((part) => part !== undefined)
    .map(encoded)
    .join('/');
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

/**
 * @param {string} part
 * @param {number} index
 */
function encoded(part, index) {
  return index === 0 ? part : encodeURIComponent(part);
}
