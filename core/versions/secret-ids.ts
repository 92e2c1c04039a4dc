// Names and ids: the secret of an identity, and the ids that a rotation derives from its token.
import { createHash } from 'node:crypto';
import { identityNamePattern } from '../settings.ts';

/**
 * The ARN ends with a hyphen and six characters (Secrets Manager User Guide, "What's in a Secrets Manager secret?").
 */
const secretArn = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:(.+?)(?:-[A-Za-z0-9]{6})?$/;

/** The identity of a secret's name; undefined if the name is not that of an identity. */
export function identityNamed(prefix: string, name: string): string | undefined {
  const identity = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return identityNamePattern.test(identity) ? identity : undefined;
}

/** For messages: the name of a secret, given by name or ARN, without the prefix if it has it. */
export function identityOf(prefix: string, secretId: string): string {
  const name = secretArn.exec(secretId)?.[1] ?? secretId;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** The version that stores the key and the certificate request while the issuer signs. */
export function requestVersionOf(token: string): string {
  return uuidOf(`countersign certificate request ${token}`);
}

/** For the issuer: 36 characters, the most that AWS Private CA accepts. */
export function idempotencyTokenOf(token: string): string {
  return uuidOf(`countersign order ${token}`);
}

/** Name-based (RFC 9562, section 5.8), so that a repeated run derives the same id. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
