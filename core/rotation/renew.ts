// A whole renewal without Secrets Manager: the four steps of a rotation one after the other, and when one is due.
import type { Renewal } from '../identity/renewal.ts';
import { readPem } from '../x509/pem.ts';
import { certificateOf, membersOf } from './current-document.ts';
import { rotationSteps, runStep } from './rotate.ts';
import type { RotationServices } from './rotation.ts';

export interface RenewalRequest {
  /** As the versions name it. */
  readonly secretArn: string;
  /** The version that the renewal creates. */
  readonly token: string;
  /** Milliseconds for each step. */
  readonly stepTimeoutMs: number;
}

/** Can be repeated after a failure or a kill: each step finds what an earlier run stored. Throws CountersignError. */
export async function renew(
  services: RotationServices,
  { secretArn, token, stepTimeoutMs }: RenewalRequest,
): Promise<void> {
  for (const step of rotationSteps) {
    const call = { requestId: token, remainingMs: stepTimeoutMs };
    if ((await runStep(services, () => ({ step, secretArn, token }), call)) === 'finished') return;
  }
}

const day = 86_400_000;

/**
 * When the identity of `document` is to be renewed, in milliseconds since 1970: `renewal.beforeDays` before the first
 * certificate of its chain expires; without it, after two thirds of the time from the start of the client certificate.
 * Never in the first third, so that a chain that ends soon is not renewed at every run. Zero without a readable
 * certificate.
 */
export function renewalDueAt(document: string, { beforeDays }: Pick<Renewal, 'beforeDays'>): number {
  const { certificate, ...members } = membersOf(document);
  const leaf = certificateOf(certificate);
  if (leaf === undefined) return 0;
  const issuers = [members.intermediateCertificates, members.rootCertificate].flatMap(certificatesIn);
  const startsAt = leaf.validFromDate.getTime();
  const endsAt = Math.min(...[leaf, ...issuers].map(({ validToDate }) => validToDate.getTime()));
  const life = endsAt - startsAt;
  if (beforeDays === undefined) return startsAt + (life * 2) / 3;
  return Math.max(endsAt - beforeDays * day, startsAt + life / 3);
}

function certificatesIn(pem: unknown) {
  return typeof pem === 'string' ? readPem(pem).flatMap(({ text }) => certificateOf(text) ?? []) : [];
}
