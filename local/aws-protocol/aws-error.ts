// What a call of a local AWS service can fail with: AWS's error names, one table from name to HTTP status.

/**
 * AWS Secrets Manager API reference and EventBridge API reference, "Errors" of each action and "Common errors": the services
 * answer 400 even where something is not found. 403 and 413 are for what never reaches an action.
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

/** `message` is shown to the caller: it never holds a secret's value, nor anything else out of a body but ids and labels. */
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
