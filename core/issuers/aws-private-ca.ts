// AWS Private CA as an issuer: IssueCertificate with an idempotency token, then GetCertificate until it is issued.
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  ACMPCAClient,
  DescribeCertificateAuthorityCommand,
  GetCertificateCommand,
  IssueCertificateCommand,
  type SigningAlgorithm,
} from '@aws-sdk/client-acm-pca';
import { clientSettings } from '../aws/client.ts';
import { CountersignError } from '../errors.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { renewalUnusable } from '../identity/unusable.ts';
import { explainPrivateCa, isInProgress } from './aws-private-ca-errors.ts';
import type { Issuer, SigningOrder } from './issuer.ts';

export type PrivateCaSettings = Extract<IssuerSettings, { kind: 'aws-private-ca' }>;

export interface PrivateCaOptions {
  /** Milliseconds for each of three attempts. Default 5,000. */
  readonly attemptTimeoutMs?: number;
  /** Milliseconds before the second GetCertificate; doubled each time, at most 3,000. Default 250. */
  readonly pollMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const maxAttempts = 3;
const maxPollMs = 3_000;
const day = 86_400_000;
/** For the first certificate; later ones get the lifetime of the current one. */
const firstValidityDays = 90;

/**
 * Credentials and endpoint come from the SDK's own settings (AWS_ENDPOINT_URL_ACM_PCA, …), the region from the ARN.
 * Throws `renewal-unusable` if that is not the ARN of an authority.
 */
export function awsPrivateCaIssuer(settings: PrivateCaSettings, options: PrivateCaOptions = {}): Issuer {
  const { attemptTimeoutMs = 5_000, pollMs = 250, now = Date.now } = options;
  const { certificateAuthorityArn: CertificateAuthorityArn, templateArn, signingAlgorithm, validityDays } = settings;
  const { partition, region } = parseArn(CertificateAuthorityArn);
  const client = new ACMPCAClient({ region, ...clientSettings(maxAttempts, attemptTimeoutMs) });
  const within = (signal: AbortSignal) => ({
    abortSignal: AbortSignal.any([signal, AbortSignal.timeout(maxAttempts * attemptTimeoutMs)]),
  });

  /** Of the family of the authority's key (API reference, IssueCertificate), with a hash as strong as the key. */
  async function algorithmFor(days: number, signal: AbortSignal): Promise<SigningAlgorithm> {
    if (signingAlgorithm !== undefined) return signingAlgorithm;
    const command = new DescribeCertificateAuthorityCommand({ CertificateAuthorityArn });
    const { CertificateAuthority: authority } = await client.send(command, within(signal));
    const key = authority?.CertificateAuthorityConfiguration?.KeyAlgorithm ?? '';
    if (authority?.Status !== undefined && authority.Status !== 'ACTIVE') {
      const sentence = `The private CA is ${authority.Status}; it must be ACTIVE to sign.`;
      throw refused(sentence, `status-${authority.Status}`, enableHint);
    }
    const end = authority?.NotAfter?.getTime();
    if (end !== undefined && end < now() + days * day) {
      const sentence = `The private CA expires on ${new Date(end).toISOString()}, before a certificate of ${days} days.`;
      throw refused(sentence, 'authority-ends-first', renewHint);
    }
    const found = algorithms[key] ?? (key.startsWith('RSA_') ? 'SHA256WITHRSA' : undefined);
    if (found !== undefined) return found;
    throw refused(
      'The private CA has a key of a type that an identity cannot have in its chain.',
      'key-algorithm',
      otherHint,
    );
  }

  async function issue(order: SigningOrder): Promise<string> {
    const days = validityDays ?? order.currentLifetimeDays ?? firstValidityDays;
    const { CertificateArn } = await client.send(
      new IssueCertificateCommand({
        CertificateAuthorityArn,
        Csr: Buffer.from(order.certificateRequest),
        SigningAlgorithm: await algorithmFor(days, order.signal),
        // Takes subject and subject alternative names from the request (User Guide, "Template definitions").
        TemplateArn: templateArn ?? `arn:${partition}:acm-pca:::template/EndEntityClientAuthCertificate/V1`,
        Validity: { Type: 'DAYS', Value: days },
        // At most 36 characters (API reference), so a digest of the token.
        IdempotencyToken: createHash('sha256').update(order.idempotencyToken).digest('hex').slice(0, 32),
      }),
      within(order.signal),
    );
    return CertificateArn ?? '';
  }

  async function fetchIssued(CertificateArn: string, signal: AbortSignal): Promise<string> {
    for (let pause = pollMs; ; pause = Math.min(2 * pause, maxPollMs)) {
      try {
        const command = new GetCertificateCommand({ CertificateAuthorityArn, CertificateArn });
        const { Certificate, CertificateChain } = await client.send(command, within(signal));
        return [Certificate, CertificateChain].filter(Boolean).join('\n');
      } catch (thrown) {
        if (!isInProgress(thrown)) throw thrown;
        await wait(pause, undefined, { signal });
      }
    }
  }

  return {
    async issue(order) {
      try {
        return { certificates: await fetchIssued(await issue(order), order.signal) };
      } catch (thrown) {
        throw explainPrivateCa(thrown);
      }
    },
  };
}

const algorithms: Readonly<Record<string, SigningAlgorithm>> = {
  EC_prime256v1: 'SHA256WITHECDSA',
  EC_secp384r1: 'SHA384WITHECDSA',
  EC_secp521r1: 'SHA512WITHECDSA',
};

/** API reference, IssueCertificate, CertificateAuthorityArn. */
function parseArn(arn: string): { partition: string; region: string } {
  const [, partition, region] =
    /^arn:(aws[a-z-]{0,20}):acm-pca:([a-z0-9-]{1,40}):\d{12}:certificate-authority\/[0-9a-f-]{36}$/.exec(arn) ?? [];
  if (partition !== undefined && region !== undefined) return { partition, region };
  throw renewalUnusable('authority-arn', 'renewal: issuer.certificateAuthorityArn is not the ARN of a private CA.');
}

const enableHint = 'The platform must enable the private CA, or name another in issuer.certificateAuthorityArn.';
const renewHint = 'The platform must renew the certificate of the private CA, or set a shorter issuer.validityDays.';
const otherHint = 'The platform must name an authority with an RSA or EC key in issuer.certificateAuthorityArn.';

function refused(sentence: string, reason: string, hint: string): CountersignError {
  return new CountersignError('issuer-refused', sentence, { hint, evidence: { reason } });
}
