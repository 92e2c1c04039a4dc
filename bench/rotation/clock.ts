// One clock for all processes of the machine.

/** Milliseconds since 1970, in fractions; it never goes back while a process runs. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
