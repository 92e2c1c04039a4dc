// Says that it takes a while, to somebody who sits there and waits.
import type { CommandContext } from './context.ts';

/** Shorter waits are not noticed. In milliseconds. */
const unnoticedMs = 2_000;

/** `sentence` is said once, on a terminal alone. */
export async function withProgress<Value>(
  { isInteractive, output }: CommandContext,
  sentence: string,
  work: Promise<Value>,
): Promise<Value> {
  if (!isInteractive) return work;
  const timer = setTimeout(() => output.progress(sentence), unnoticedMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
