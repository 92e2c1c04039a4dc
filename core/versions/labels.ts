// The staging labels of an identity's secret, AWS's three and our own, and which version holds one.
import type { SecretState } from './versions.ts';

export const labels = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
  /** Ours: the certificate request of the rotation that is under way. */
  request: 'COUNTERSIGN_REQUEST',
} as const;

/** Undefined when no version has the label. */
export function holderOf({ stages }: Pick<SecretState, 'stages'>, label: string): string | undefined {
  for (const [version, held] of stages) if (held.includes(label)) return version;
  return undefined;
}
