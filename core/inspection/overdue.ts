// Whether the rotation of an identity is overdue, and by which of three signs.
import type { CertificateTimes } from './certificates.ts';

const day = 86_400_000;

export const overdueSigns = ['next-rotation-passed', 'pending-for-a-day', 'last-quarter-of-life'] as const;
export type OverdueSign = (typeof overdueSigns)[number];

export interface RotationState {
  readonly rotationEnabled: boolean;
  /** Milliseconds since 1970. */
  readonly nextRotationAt: number | undefined;
  /** When the version was made that AWSPENDING is on and AWSCURRENT is not. */
  readonly pendingSince: number | undefined;
  readonly leaf: CertificateTimes | undefined;
}

/**
 * An identity that is renewed by hand is never overdue: its days to expiry tell. With a rotation it is when the date that
 * Secrets Manager named passed a day ago, when a rotation began a day ago and has not ended (a customer rejects the
 * certificate, or nobody has signed the request), or when it does not come in time: after two thirds of the leaf's life it is
 * due (docs/rotation.md), so with less than a quarter left it is late, and there is time to find out why.
 */
export function overdueSignsOf(
  { rotationEnabled, nextRotationAt, pendingSince, leaf }: RotationState,
  now: number,
): readonly OverdueSign[] {
  if (!rotationEnabled) return [];
  const signs: OverdueSign[] = [];
  if (nextRotationAt !== undefined && now > nextRotationAt + day) signs.push('next-rotation-passed');
  if (pendingSince !== undefined && now > pendingSince + day) signs.push('pending-for-a-day');
  if (leaf && leaf.validTo - now < (leaf.validTo - leaf.validFrom) / 4) signs.push('last-quarter-of-life');
  return signs;
}
