// Maps the errors of AWS Private CA and its SDK to errors of Countersign.
import { networkCodeOf, quotableCause } from '../aws/client.ts';
import { CountersignError, type ErrorCode } from '../errors.ts';

interface Explanation {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

const refused = 'issuer-refused';
const unavailable = 'issuer-unavailable';

/**
 * Error names: AWS Private CA API reference, IssueCertificate, GetCertificate, DescribeCertificateAuthority and Common
 * Errors.
 */
const explanations: Readonly<Record<string, Explanation>> = {
  AccessDeniedException: {
    code: refused,
    detail: 'AWS Private CA denied access to the authority.',
    hint: 'The platform must grant the rotation function acm-pca:IssueCertificate, GetCertificate and DescribeCertificateAuthority on the authority, and its template.',
  },
  ResourceNotFoundException: {
    code: refused,
    detail: 'AWS Private CA has no authority, or no certificate, with that ARN.',
    hint: 'The platform must correct issuer.certificateAuthorityArn; a deleted authority cannot sign.',
  },
  InvalidArnException: {
    code: 'renewal-unusable',
    detail: 'renewal: AWS Private CA does not accept issuer.certificateAuthorityArn or issuer.templateArn.',
  },
  InvalidStateException: {
    code: refused,
    detail: 'The private CA is not active: it is disabled, expired, deleted or not set up.',
    hint: 'The platform must enable the private CA, or name another in issuer.certificateAuthorityArn.',
  },
  MalformedCSRException: { code: refused, detail: 'AWS Private CA does not accept the certificate request.' },
  InvalidArgsException: {
    code: refused,
    detail: 'AWS Private CA does not accept an argument of IssueCertificate.',
    hint: 'The platform must check issuer.validityDays against the end of the authority, and issuer.signingAlgorithm against its key.',
  },
  ValidationException: {
    code: refused,
    detail: 'AWS Private CA does not accept an argument of IssueCertificate.',
    hint: 'The platform must check issuer.validityDays against the end of the authority, issuer.templateArn, and issuer.signingAlgorithm against its key.',
  },
  LimitExceededException: {
    code: refused,
    detail: 'A quota of AWS Private CA is used up.',
    hint: 'The platform must have the quota raised, for example that of certificates per authority.',
  },
  RequestFailedException: {
    code: refused,
    detail: 'AWS Private CA did not issue the certificate and gave no reason.',
  },
  ThrottlingException: { code: unavailable, detail: 'AWS Private CA throttles its calls.' },
  CredentialsProviderError: {
    code: unavailable,
    detail: 'There are no AWS credentials for AWS Private CA.',
    hint: 'The platform must give the function a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    retryable: false,
  },
  UnrecognizedClientException: {
    code: unavailable,
    detail: 'AWS Private CA does not accept the AWS credentials.',
    hint: 'The platform must check the credentials of the function, and its clock.',
    retryable: false,
  },
  ExpiredTokenException: { code: unavailable, detail: 'The AWS credentials have expired.' },
  timeout: {
    code: unavailable,
    detail: 'AWS Private CA did not issue the certificate in time.',
    hint: 'The rotation is tried again with the same token, which within five minutes returns the same certificate.',
  },
};

/** The certificate is not issued yet (API reference, GetCertificate). */
export function isInProgress(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'RequestInProgressException';
}

/** A CountersignError is returned as it is. */
export function explainPrivateCa(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  const reason = reasonOf(thrown);
  const { code, detail, ...more } = explanations[reason] ?? {
    code: unavailable,
    detail: 'The request to AWS Private CA failed.',
  };
  const cause = quotableCause(thrown);
  return new CountersignError(code, detail, {
    evidence: { reason },
    ...more,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** AWS's error name, `timeout`, or a network code such as ECONNREFUSED. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'Error';
  // First: the SDK also names a connection reset TimeoutError.
  const network = networkCodeOf(thrown);
  if (network !== undefined) return network;
  return thrown.name === 'TimeoutError' || thrown.name === 'AbortError' ? 'timeout' : thrown.name;
}
