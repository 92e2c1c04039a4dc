// What is named after a rotation, so that whoever runs it again finds and says the same: two ids made of its token.
import { createHash } from 'node:crypto';

/** The version that keeps the key and the request while the issuer is asked. */
export function requestVersionOf(token: string): string {
  return uuidOf(`countersign certificate request ${token}`);
}

/** For the issuer, in 36 characters: what AWS Private CA takes at most. */
export function idempotencyTokenOf(token: string): string {
  return uuidOf(`countersign order ${token}`);
}

/** Name-based (RFC 9562, section 5.8). */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
