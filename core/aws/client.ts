// How AWS's services are asked: how often, how long each time, and never for longer than was said.

/** What the SDK's clients share of their settings; region, credentials and endpoint are its own (AWS_REGION, AWS_ENDPOINT_URL_…). */
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

/** `maxAttempts` for one call, each of `attemptTimeoutMs`. */
export function clientSettings(maxAttempts: number, attemptTimeoutMs: number): ClientSettings {
  return {
    // A connection that died while the function was frozen costs one attempt: ECONNRESET and EPIPE are retried.
    maxAttempts,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: 1_000,
      requestTimeout: attemptTimeoutMs,
      socketTimeout: attemptTimeoutMs,
      // Without it the SDK only warns that the time is over, and waits on.
      throwOnRequestTimeout: true,
    },
  };
}
