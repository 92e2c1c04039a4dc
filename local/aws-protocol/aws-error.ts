// Errors of local AWS services: AWS's names and their HTTP status.

/**
 * AWS Secrets Manager API reference and EventBridge API reference, "Errors" of each action and "Common errors": the
 * services answer 400 even if something is not found. 403 and 413 are for requests that do not reach an action.
 */
const statuses = {
  AccessDeniedException: 403,
  IncompleteSignatureException: 400,
  InternalException: 500,
  InternalServiceError: 500,
  InvalidNextTokenException: 400,
  InvalidParameterException: 400,
  InvalidRequestException: 400,
  LimitExceededException: 400,
  MissingAuthenticationTokenException: 400,
  RequestEntityTooLargeException: 413,
  ResourceExistsException: 400,
  ResourceNotFoundException: 400,
  SerializationException: 400,
  UnknownOperationException: 400,
  ValidationException: 400,
} as const;

export type AwsErrorName = keyof typeof statuses;

/**
 * `message` is shown to the caller: it never contains a secret's value, and nothing else of a body except ids and
 * labels.
 */
export class AwsError extends Error {
  override readonly name: AwsErrorName;
  readonly status: number;

  constructor(
    name: AwsErrorName,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = name;
    this.status = options.status ?? statuses[name];
  }
}
