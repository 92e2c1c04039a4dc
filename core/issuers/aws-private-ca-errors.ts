// What AWS Private CA or the way to it says, in this project's words.
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

/** Error names: AWS Private CA API reference, IssueCertificate, GetCertificate, DescribeCertificateAuthority and Common Errors. */
const explanations: Readonly<Record<string, Explanation>> = {
  AccessDeniedException: {
    code: refused,
    detail: 'AWS Private CA denied access to the authority.',
    hint: 'The platform must grant the rotation function acm-pca:IssueCertificate, GetCertificate and DescribeCertificateAuthority on the authority, and its template.',
  },
  ResourceNotFoundException: {
    code: refused,
    detail: 'AWS Private CA has no authority, or no certificate, of that ARN.',
    hint: 'The platform must correct issuer.certificateAuthorityArn; a deleted authority cannot sign.',
  },
  InvalidArnException: {
    code: 'renewal-unusable',
    detail: 'renewal: AWS Private CA does not accept issuer.certificateAuthorityArn or issuer.templateArn.',
  },
  InvalidStateException: {
    code: refused,
    detail: 'The private CA is not active: it is disabled, expired, deleted or not set up yet.',
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
    hint: 'The platform must have the quota raised; how many certificates an authority may issue is one.',
  },
  RequestFailedException: {
    code: refused,
    detail: 'AWS Private CA failed to issue the certificate, and does not say why.',
  },
  ThrottlingException: { code: unavailable, detail: 'AWS Private CA throttles its calls.' },
  CredentialsProviderError: {
    code: unavailable,
    detail: 'There are no AWS credentials to call AWS Private CA with.',
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
    detail: 'AWS Private CA did not answer, or did not finish the certificate, in time.',
    hint: 'The rotation is tried again, with the same token: within five minutes that asks for the same certificate.',
  },
};

/** True while the certificate is being made (API reference, GetCertificate). */
export function isInProgress(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'RequestInProgressException';
}

/** Anything that was thrown on the way; what is a CountersignError already stays. */
export function explainPrivateCa(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  const reason = reasonOf(thrown);
  const { code, detail, ...more } = explanations[reason] ?? {
    code: unavailable,
    detail: 'AWS Private CA could not be asked for the certificate.',
  };
  const cause = quotableCause(thrown);
  return new CountersignError(code, detail, {
    evidence: { reason },
    ...more,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The name AWS gives the error; `timeout` for an attempt's and the whole rotation's; ECONNREFUSED and its like for the network's. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'Error';
  // First: the SDK calls a connection that was reset a TimeoutError too.
  const network = networkCodeOf(thrown);
  if (network !== undefined) return network;
  return thrown.name === 'TimeoutError' || thrown.name === 'AbortError' ? 'timeout' : thrown.name;
}
