// The connections that this process serves of all that the workers share. Keep-alive connections stay with the process
// that accepted them, so a new worker gets none until others close some.
import type { Socket } from 'node:net';

/** Milliseconds between two reports of a worker. */
export const connectionReportMs = 500;

export interface ConnectionShare {
  onRequest(socket: Socket): void;
  /** Open connections with a request since the last call of this function. Ends an earlier `release`. */
  countActive(): number;
  /** The next `count` answers close their connections: other workers have fewer. */
  release(count: number): void;
  /** Whether the connection of the next answer closes. Counts it. */
  takeRelease(): boolean;
}

export function createConnectionShare(): ConnectionShare {
  let active = new Set<Socket>();
  let toRelease = 0;
  return {
    onRequest(socket) {
      active.add(socket);
    },
    countActive() {
      const open = [...active].filter(({ destroyed }) => !destroyed).length;
      active = new Set();
      toRelease = 0;
      return open;
    },
    release(count) {
      toRelease = count;
    },
    takeRelease() {
      if (toRelease === 0) return false;
      toRelease -= 1;
      return true;
    },
  };
}

/**
 * How many connections each worker should release, in the order of `counts`. A quarter above the share is tolerated, so
 * that callers do not reconnect without need.
 * @param counts active connections of each worker
 */
export function connectionsToRelease(counts: readonly number[]): number[] {
  const share = Math.ceil(counts.reduce((sum, count) => sum + count, 0) / counts.length);
  return counts.map((count) => (count > share + Math.floor(share / 4) ? count - share : 0));
}
