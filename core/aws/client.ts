// Settings of the AWS SDK's clients, and the parts of their errors that may be shown.

/** Region, credentials and endpoint are not here: the SDK reads them itself (AWS_REGION, AWS_ENDPOINT_URL_…). */
export interface ClientSettings {
  readonly maxAttempts: number;
  readonly retryMode: 'standard';
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly socketTimeout: number;
    readonly throwOnRequestTimeout: boolean;
  };
}

/** `maxAttempts` for one call, each of at most `attemptTimeoutMs`. */
export function clientSettings(maxAttempts: number, attemptTimeoutMs: number): ClientSettings {
  return {
    // A connection that died while the function was frozen costs one attempt: the SDK retries ECONNRESET and EPIPE.
    maxAttempts,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: 1_000,
      requestTimeout: attemptTimeoutMs,
      socketTimeout: attemptTimeoutMs,
      // Without it the SDK logs a warning at the timeout and goes on waiting.
      throwOnRequestTimeout: true,
    },
  };
}

/** ECONNREFUSED and the like; undefined if the error is not one of the network. */
export function networkCodeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code) ? error.code : undefined;
}

/** The error if it can be logged: the SDK quotes an answer that it cannot parse, and that answer may be a secret. */
export function quotableCause(thrown: unknown): Error | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const isOfService = '$fault' in thrown && /^[A-Za-z]+(Exception|Failure|Error)$/.test(thrown.name);
  return isOfService || networkCodeOf(thrown) !== undefined ? thrown : undefined;
}
