// How many files this process can open.
import { readFileSync } from 'node:fs';

/** RLIMIT_NOFILE, which Node raises to the hard limit (proc(5)). Undefined on systems without /proc. */
export function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
