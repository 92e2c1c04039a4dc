// Lets every worker have its share of connections that come all at once: whoever took one a moment ago stands back for the next.
import type { Server } from 'node:net';

/** What counts as at once, and how long one stands back. Both in milliseconds. */
const atOnceMs = 1;
const standsBackMs = 0.05;

/**
 * The first worker that the system wakes would take all 32 connections of a caller's pool before another has woken, and keep them.
 * libuv once slept for the same reason (UV_TCP_SINGLE_ACCEPT). Connections that come one by one cost nothing.
 */
export function shareConnections(server: Server): void {
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  let last = Number.NEGATIVE_INFINITY;
  server.on('connection', () => {
    if (performance.now() - last < atOnceMs) Atomics.wait(nobodyWakes, 0, 0, standsBackMs);
    last = performance.now();
  });
}
