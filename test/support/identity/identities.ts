// Identity documents for tests, with new keys in every run.

import { CountersignError } from '../../../core/errors.ts';
import type { StoredIdentity } from '../../../core/identity/identity.ts';
import { type Authority, type CertificateRequest, createAuthority } from '../../../local/authority/authority.ts';

export interface Chain {
  readonly root: Authority;
  readonly issuer: Authority;
}

/** A root and an intermediate; `request` goes into both. */
export function makeChain(request: Partial<CertificateRequest> = {}): Chain {
  const root = createAuthority({ commonName: 'Test Root', ...request });
  return { root, issuer: root.intermediate({ commonName: 'Test Issuer', ...request }) };
}

export interface DocumentKeys {
  privateKey: string;
  certificate: string;
  intermediateCertificates: string;
  rootCertificate: string;
  destinations?: unknown;
}

export function makeKeys(
  { issuer }: { readonly issuer: Authority },
  request: Partial<CertificateRequest> = {},
): DocumentKeys {
  const issued = issuer.issue({ commonName: 'bot-platform', usage: 'client', ...request });
  return {
    privateKey: issued.privateKey,
    certificate: issued.certificate,
    intermediateCertificates: issued.intermediates,
    rootCertificate: issued.root,
  };
}

export function store(document: object | string, version = 'v1'): StoredIdentity {
  return {
    version,
    stage: 'AWSCURRENT',
    document: typeof document === 'string' ? document : JSON.stringify(document),
  };
}

/** The CountersignError that `run` throws or rejects with. */
export async function failureOf(run: () => unknown): Promise<CountersignError> {
  try {
    await run();
  } catch (thrown) {
    if (thrown instanceof CountersignError) return thrown;
    throw thrown;
  }
  throw new Error('Nothing was thrown.');
}
