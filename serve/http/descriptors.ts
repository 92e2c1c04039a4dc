// How many files and sockets the system lets a process open, and how many connections of callers fit into that.
import { readFileSync } from 'node:fs';
import type { ServeLimits } from '../options.ts';

/** What a process has open besides: files that it reads, pipes, the socket that it listens on, the event loop's own. */
const ownDescriptors = 48;

/** Undefined where the system does not tell (proc(5); RLIMIT_NOFILE, which Node has raised as far as it may). */
export function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * A call needs a connection from its caller and one to the customer's API. Without a descriptor for the second, or for a
 * file that has changed, calls fail that were taken on: connections beyond what fits are rather not taken.
 * @returns the limits that fit, and one sentence when they are not those that were asked for
 */
export function fitConnections(limits: ServeLimits, openFiles: number | undefined): [ServeLimits, string?] {
  const { maxConnections, maxCalls } = limits;
  const needed = maxConnections + Math.min(maxCalls, maxConnections) + ownDescriptors;
  if (openFiles === undefined || needed <= openFiles) return [limits];
  const room = openFiles - ownDescriptors;
  const fitting = Math.max(1, room - maxCalls, Math.floor(room / 2));
  const sentence = `A process may open ${openFiles} files here, and --max-connections ${maxConnections} with --max-calls ${maxCalls} needs ${needed}: each takes ${fitting} connections. Raise the limit (ulimit -n, LimitNOFILE).`;
  return [{ ...limits, maxConnections: fitting }, sentence];
}
