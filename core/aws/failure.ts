// What of an error of AWS's SDK may go further.

/** ECONNREFUSED and its like; undefined for what is not the network's. */
export function networkCodeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code) ? error.code : undefined;
}

/** An answer that cannot be parsed is quoted in the SDK's error, secret and all; only errors of service and network are kept. */
export function quotableCause(thrown: unknown): Error | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const isOfService = '$fault' in thrown && /^[A-Za-z]+(Exception|Failure|Error)$/.test(thrown.name);
  return isOfService || networkCodeOf(thrown) !== undefined ? thrown : undefined;
}
