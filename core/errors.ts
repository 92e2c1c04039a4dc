// The table of errors: for each code its HTTP status, handshake step, title and hint.

/**
 * The steps of the mutual handshake: 1 the platform requests the endpoint, 2 the API server presents its certificate,
 * 3 the platform verifies it, 4 the platform sends its client certificate, 5 the API server verifies that.
 */
export type Step = 1 | 2 | 3 | 4 | 5;

interface ErrorEntry {
  /** HTTP status of the problem document. */
  readonly status: number;
  readonly step?: Step;
  /** True if the same call can succeed later although nothing was changed. */
  readonly retryable: boolean;
  readonly title: string;
  /** Who must do what. */
  readonly hint: string;
}

const table = {
  'invalid-request': {
    status: 400,
    retryable: false,
    title: 'The request to Countersign is not valid',
    hint: 'The caller must correct the request. docs/api.md describes every field.',
  },
  'identity-not-found': {
    status: 404,
    retryable: false,
    title: 'No identity has that name',
    hint: 'The caller must name an existing identity, or the platform must store one under that name.',
  },
  'identity-unusable': {
    status: 500,
    retryable: false,
    title: 'The identity cannot be used',
    hint: 'The platform must store a corrected version of the identity. docs/identities.md lists the rules.',
  },
  'identity-unavailable': {
    status: 503,
    retryable: true,
    title: 'The identity store cannot be reached',
    hint: 'Try again shortly. If it lasts, the platform must check Secrets Manager and the permissions of the function.',
  },
  'destination-forbidden': {
    status: 403,
    retryable: false,
    title: 'The identity is not allowed to call that destination',
    hint: 'The platform must add the host and port to the destinations of the identity, or the caller must correct the URL.',
  },
  'name-resolution-failed': {
    status: 502,
    step: 1,
    retryable: true,
    title: 'The name of the API server cannot be resolved',
    hint: 'The caller must check the spelling of the host. The customer must check that the name is published in the DNS.',
  },
  'connection-refused': {
    status: 502,
    step: 1,
    retryable: true,
    title: 'The API server refused the connection',
    hint: 'The customer must check that the API listens on that port and that its firewall allows the platform.',
  },
  'connection-failed': {
    status: 502,
    step: 1,
    retryable: true,
    title: 'The connection to the API server failed',
    hint: 'The customer must check the route and the firewall in front of the API. It can be a temporary network fault.',
  },
  'connection-timeout': {
    status: 504,
    step: 1,
    retryable: true,
    title: 'The API server did not accept the connection in time',
    hint: 'The customer must check that its firewall allows the platform. A firewall that drops packets causes this.',
  },
  'server-not-tls': {
    status: 502,
    step: 2,
    retryable: false,
    title: 'The API server does not speak TLS on that port',
    hint: 'The caller must use the port on which the API serves HTTPS, or the customer must enable TLS there.',
  },
  'tls-negotiation-failed': {
    status: 502,
    step: 2,
    retryable: false,
    title: 'The platform and the API server could not agree on TLS parameters',
    hint: 'The customer must offer TLS 1.2 or 1.3 with a current cipher suite for that server name.',
  },
  'handshake-timeout': {
    status: 504,
    step: 2,
    retryable: true,
    title: 'The TLS handshake did not finish in time',
    hint: 'The customer must check why the API accepts the connection but does not complete the handshake.',
  },
  'server-certificate-expired': {
    status: 502,
    step: 3,
    retryable: false,
    title: 'The certificate of the API server has expired or is not valid yet',
    hint: 'The customer must install a certificate that is valid today.',
  },
  'server-certificate-untrusted': {
    status: 502,
    step: 3,
    retryable: false,
    title: 'The certificate of the API server is not trusted',
    hint: 'The customer must serve the complete chain of a trusted authority, or the platform must add the private root to the serverRoots of the destination.',
  },
  'server-certificate-name-mismatch': {
    status: 502,
    step: 3,
    retryable: false,
    title: 'The certificate of the API server is for another name',
    hint: 'The caller must use a host that the certificate names, or the platform must set the serverName of the destination.',
  },
  'server-certificate-invalid': {
    status: 502,
    step: 3,
    retryable: false,
    title: 'The certificate of the API server is not acceptable',
    hint: 'The customer must install a certificate for server authentication with a current key size and signature.',
  },
  'server-certificate-pin-mismatch': {
    status: 502,
    step: 3,
    retryable: false,
    title: 'The certificate of the API server does not match the pins',
    hint: 'If the customer changed its key, the platform must update the serverPins of the destination. If not, another server answers in its place.',
  },
  'client-certificate-not-requested': {
    status: 502,
    step: 4,
    retryable: false,
    title: 'The API server did not ask for a client certificate',
    hint: 'The customer must enable client certificate verification for that server name and port.',
  },
  'client-certificate-rejected': {
    status: 502,
    step: 5,
    retryable: false,
    title: 'The API server did not accept the client certificate',
    hint: 'The customer must look up the reason in the log of its API, and trust the root of the platform with its intermediates: GET /v1/identities/{identity}/certificate returns both.',
  },
  'response-timeout': {
    status: 504,
    retryable: true,
    title: 'The API did not respond in time',
    hint: 'The customer must find out why the API is slow, or the caller must raise timeoutMs. The request may have been processed.',
  },
  'response-incomplete': {
    status: 502,
    retryable: true,
    title: 'The response of the API ended early',
    hint: 'The customer must look for a crash, a restart or a proxy limit. The request may have been processed.',
  },
  'response-malformed': {
    status: 502,
    retryable: false,
    title: 'The response of the API is not valid HTTP',
    hint: 'The customer must correct the response; the detail says what is wrong. The request may have been processed.',
  },
  'response-too-large': {
    status: 502,
    retryable: false,
    title: 'The response of the API is too large',
    hint: 'The caller must request less, for example page by page. The limit is 4.5 MB after decoding. The request may have been processed.',
  },
  'rotation-refused': {
    status: 409,
    retryable: false,
    title: 'The rotation cannot be continued',
    hint: 'The platform must configure rotation for the secret and start it with RotateSecret. docs/rotation.md has the steps.',
  },
  'renewal-unusable': {
    status: 500,
    retryable: false,
    title: 'The identity has no usable renewal settings',
    hint: 'The platform must correct the renewal of the identity document. docs/identities.md lists its keys.',
  },
  'issuer-unavailable': {
    status: 503,
    retryable: true,
    title: 'The issuer cannot be reached',
    hint: 'The rotation is tried again. If it lasts, the platform must check the address of the issuer and the route to it.',
  },
  'issuer-refused': {
    status: 502,
    retryable: false,
    title: 'The issuer did not sign the certificate request',
    hint: 'The platform must find the reason in the log of the issuer. docs/issuers.md lists the requirements of each issuer.',
  },
  'issued-certificate-unusable': {
    status: 502,
    retryable: false,
    title: 'The issued certificate cannot be used',
    hint: 'The platform must correct the profile or template of the issuer. Nothing changed; the current certificate stays in use.',
  },
  'signature-awaited': {
    status: 409,
    retryable: true,
    title: 'The certificate request has not been signed yet',
    hint: 'The owner of the authority must sign the request, and the platform must store the certificate. docs/issuers.md has the commands.',
  },
  'new-certificate-rejected': {
    status: 502,
    step: 5,
    retryable: false,
    title: 'A destination rejects the new certificate',
    hint: 'The customer must trust the new certificate as well. Until then the current one stays in use. docs/rotation.md describes how to proceed without that destination.',
  },
  'new-certificate-untested': {
    status: 504,
    retryable: true,
    title: 'The new certificate could not be tested at every destination',
    hint: 'The rotation is tried again. If it lasts, the platform must give the rotation function more time or check the destinations that do not respond.',
  },
  'announcement-failed': {
    status: 503,
    retryable: true,
    title: 'The event could not be published',
    hint: 'The rotation is tried again. If it lasts, the platform must check the event bus and the permissions of the rotation function.',
  },
  'not-authenticated': {
    status: 401,
    retryable: false,
    title: 'The caller is not authenticated',
    hint: 'The caller must present a client certificate or a bearer token that this installation accepts. docs/on-premises.md describes both.',
  },
  'caller-forbidden': {
    status: 403,
    retryable: false,
    title: 'The caller is not allowed to do that',
    hint: 'The operator of this installation must allow the caller that identity, or the caller must name one that it may use.',
  },
  'too-busy': {
    status: 503,
    retryable: true,
    title: 'Countersign cannot take another call now',
    hint: 'The caller must retry after the seconds in Retry-After. If it lasts, the operator of this installation must add processes.',
  },
  'internal-error': {
    status: 500,
    retryable: false,
    title: 'Countersign failed',
    hint: 'This is a defect of Countersign. The platform must look up the request id in the log of the function.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof table;

export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table;

/** Facts a machine can act on; never key material, certificate bodies, header values or payloads. */
export type Evidence = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The diagnosis that finds the cause of a failed call. */
interface SuggestedDiagnosis {
  readonly identity: string;
  /** The origin: path and query of a call can be secret. */
  readonly url: string;
}

interface ErrorDetails {
  readonly evidence?: Evidence | undefined;
  /** Replaces the hint of the table. */
  readonly hint?: string;
  readonly retryable?: boolean;
  /** Replaces the step of the table. */
  readonly step?: Step | undefined;
  readonly cause?: unknown;
  readonly diagnosis?: SuggestedDiagnosis | undefined;
}

type ErrorChanges = Pick<ErrorDetails, 'evidence' | 'hint' | 'diagnosis'> & { readonly detail?: string };

/** The only error class. `message` is the detail: one sentence that can be shown to the caller. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly step: Step | undefined;
  readonly title: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly evidence: Evidence | undefined;
  readonly diagnosis: SuggestedDiagnosis | undefined;

  constructor(code: ErrorCode, detail: string, options: ErrorDetails = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    const entry: ErrorEntry = table[code];
    this.code = code;
    this.status = entry.status;
    this.step = options.step ?? entry.step;
    this.title = entry.title;
    this.hint = options.hint ?? entry.hint;
    this.retryable = options.retryable ?? entry.retryable;
    this.evidence = options.evidence;
    this.diagnosis = options.diagnosis;
  }

  /** A copy with these changes and everything else of this error. `evidence` is added to the evidence. */
  with({ detail = this.message, evidence, ...changes }: ErrorChanges): CountersignError {
    const { code, step, hint, retryable, cause, diagnosis } = this;
    const all = this.evidence || evidence ? { ...this.evidence, ...evidence } : undefined;
    return new CountersignError(code, detail, {
      step,
      hint,
      retryable,
      cause,
      diagnosis,
      ...changes,
      evidence: all,
    });
  }
}

/** Wraps any other error as `internal-error`. Its text stays in `cause`, which the caller does not see. */
export function asCountersignError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  return new CountersignError('internal-error', 'Something unexpected happened inside Countersign.', { cause: thrown });
}
