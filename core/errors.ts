// Every way Countersign can fail: one code, its HTTP status, handshake step, words and remedy, in one table.

/**
 * The steps of the mutual handshake: 1 the platform requests the endpoint, 2 the server presents its certificate,
 * 3 the platform verifies it, 4 the platform sends its own, 5 the server verifies that.
 */
export type Step = 1 | 2 | 3 | 4 | 5;

interface ErrorEntry {
  /** HTTP status of the problem document. */
  readonly status: number;
  readonly step?: Step;
  /** True when the same call may succeed later without anybody changing anything. */
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
    hint: 'The caller must correct the request; docs/api.md describes every field.',
  },
  'identity-not-found': {
    status: 404,
    retryable: false,
    title: 'There is no identity of that name',
    hint: 'The caller must name an existing identity, or the platform must store one under that name.',
  },
  'identity-unusable': {
    status: 500,
    retryable: false,
    title: 'The identity cannot be used',
    hint: 'The platform must store a corrected version of the identity; docs/identities.md lists what is checked.',
  },
  'identity-unavailable': {
    status: 503,
    retryable: true,
    title: 'The identity store cannot be reached',
    hint: 'Try again shortly; if it lasts, the platform must check Secrets Manager and the permissions of the function.',
  },
  'destination-forbidden': {
    status: 403,
    retryable: false,
    title: 'This identity may not be presented to that destination',
    hint: 'The platform must add the host and port to the destinations of the identity, or the caller must correct the URL.',
  },
  'name-resolution-failed': {
    status: 502,
    step: 1,
    retryable: true,
    title: 'The name of the API server cannot be resolved',
    hint: 'The caller must check the spelling of the host; the customer must check that its name is published in the DNS.',
  },
  'connection-refused': {
    status: 502,
    step: 1,
    retryable: true,
    title: 'The API server refused the connection',
    hint: 'The customer must check that the API listens on that port and that its firewall lets the platform in.',
  },
  'connection-failed': {
    status: 502,
    step: 1,
    retryable: true,
    title: 'The connection to the API server failed',
    hint: 'The customer must check the route and the firewall in front of the API; it may be a passing network fault.',
  },
  'connection-timeout': {
    status: 504,
    step: 1,
    retryable: true,
    title: 'The API server did not accept the connection in time',
    hint: 'The customer must check that its firewall lets the platform in: dropped packets look like this.',
  },
  'server-not-tls': {
    status: 502,
    step: 2,
    retryable: false,
    title: 'The API server does not speak TLS on that port',
    hint: 'The caller must use the port on which the API serves HTTPS, or the customer must switch TLS on there.',
  },
  'tls-negotiation-failed': {
    status: 502,
    step: 2,
    retryable: false,
    title: 'The platform and the API server agree on no TLS parameters',
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
    title: 'The certificate of the API server is outside its dates',
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
    hint: 'If the customer changed its key, the platform must update the serverPins of the destination; if not, somebody else answers in its place.',
  },
  'client-certificate-not-requested': {
    status: 502,
    step: 4,
    retryable: false,
    title: 'The API server did not ask for a client certificate',
    hint: 'The customer must switch on client certificate verification for this server name and port.',
  },
  'client-certificate-rejected': {
    status: 502,
    step: 5,
    retryable: false,
    title: 'The API server did not accept the client certificate',
    hint: 'The customer must trust the root of the platform and accept its intermediates; GET /v1/identities/{identity}/certificate has both.',
  },
  'response-timeout': {
    status: 504,
    retryable: true,
    title: 'The API did not answer in time',
    hint: 'The customer must look at why the API is slow; the caller may raise timeoutMs. The request may have been processed.',
  },
  'response-incomplete': {
    status: 502,
    retryable: true,
    title: 'The answer of the API ended early',
    hint: 'The customer must look for a crash, a restart or a proxy limit. The request may have been processed.',
  },
  'response-malformed': {
    status: 502,
    retryable: false,
    title: 'The answer of the API is not valid HTTP',
    hint: 'The customer must correct the answer; what is wrong with it is in the detail. The request may have been processed.',
  },
  'response-too-large': {
    status: 502,
    retryable: false,
    title: 'The answer of the API is too large',
    hint: 'The caller must ask for less, page by page, say: 4.5 MB of decoded answer is the limit. The request may have been processed.',
  },
  'rotation-refused': {
    status: 409,
    retryable: false,
    title: 'There is no such rotation to go on with',
    hint: 'The platform must start the rotation with RotateSecret, after rotation has been configured for the secret; docs/rotation.md has the steps.',
  },
  'renewal-unusable': {
    status: 500,
    retryable: false,
    title: 'The identity does not say how it is renewed',
    hint: 'The platform must correct the renewal of the identity document; docs/identities.md lists what it may hold.',
  },
  'issuer-unavailable': {
    status: 503,
    retryable: true,
    title: 'The issuer cannot be reached',
    hint: 'The rotation is tried again; if it lasts, the platform must check the address of the issuer and the way there.',
  },
  'issuer-refused': {
    status: 502,
    retryable: false,
    title: 'The issuer did not sign the certificate request',
    hint: 'The platform must look up in the log of the issuer why it turned the request down; docs/issuers.md has what each one needs.',
  },
  'issued-certificate-unusable': {
    status: 502,
    retryable: false,
    title: 'What the issuer signed cannot be used',
    hint: 'The platform must correct the profile or template of the issuer; nothing was changed, the current certificate stays.',
  },
  'signature-awaited': {
    status: 409,
    retryable: true,
    title: 'The certificate request waits to be signed',
    hint: 'Whoever holds the authority must sign the certificate request, and the platform must put the certificate in; docs/issuers.md says how.',
  },
  'new-certificate-rejected': {
    status: 502,
    step: 5,
    retryable: false,
    title: 'A destination rejects the new certificate',
    hint: 'The customer must trust the new certificate as well; until then the current one stays in use. docs/rotation.md says how to go on without that destination.',
  },
  'new-certificate-untested': {
    status: 504,
    retryable: true,
    title: 'The new certificate could not be tried everywhere',
    hint: 'The rotation is tried again; if it lasts, the platform must give the rotation function more time, or look at the destinations that do not answer in time.',
  },
  'announcement-failed': {
    status: 503,
    retryable: true,
    title: 'The rotation could not be announced',
    hint: 'The rotation is tried again; if it lasts, the platform must check the event bus and the permissions of the rotation function.',
  },
  'not-authenticated': {
    status: 401,
    retryable: false,
    title: 'The caller is not known',
    hint: 'The caller must present a client certificate or a bearer token that this installation accepts; docs/on-premises.md says how both are set up.',
  },
  'caller-forbidden': {
    status: 403,
    retryable: false,
    title: 'The caller may not do that',
    hint: 'Whoever runs this installation must allow the caller that identity, or the caller must name one it may use.',
  },
  'too-busy': {
    status: 503,
    retryable: true,
    title: 'Countersign has no room for another call',
    hint: 'The caller must try again after the seconds in Retry-After; if it lasts, whoever runs this installation must give it more processes.',
  },
  'internal-error': {
    status: 500,
    retryable: false,
    title: 'Countersign failed',
    hint: 'The platform must look up the request id in the log of the function: this is a defect of Countersign.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof table;

/** The table itself, for the documentation test and for whoever maps a code to its status. */
export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table;

/** Facts a machine can act on; never key material, certificate bodies, header values or payloads. */
export type Evidence = Readonly<Record<string, string | number | boolean | readonly string[]>>;

interface ErrorDetails {
  /** What was observed, beside the sentence. */
  readonly evidence?: Evidence;
  /** Replaces the hint of the table where the case is known better. */
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** The one error class. `message` is the detail: one sentence that says what happened, safe to show to the caller. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly step: Step | undefined;
  readonly title: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly evidence: Evidence | undefined;

  constructor(code: ErrorCode, detail: string, options: ErrorDetails = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    const entry: ErrorEntry = table[code];
    this.code = code;
    this.status = entry.status;
    this.step = entry.step;
    this.title = entry.title;
    this.hint = options.hint ?? entry.hint;
    this.retryable = options.retryable ?? entry.retryable;
    this.evidence = options.evidence;
  }
}

/** Anything thrown, as a CountersignError: what is not one already becomes `internal-error`, its text kept in `cause` alone. */
export function asCountersignError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  return new CountersignError('internal-error', 'Something unexpected happened inside Countersign.', { cause: thrown });
}
