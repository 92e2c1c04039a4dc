// Asks again, a few times and ever later, for what may just have been written: Secrets Manager is eventually consistent.

/** Resolves after so many milliseconds. */
export type Sleep = (ms: number) => Promise<void>;

/** 3.1 s in all. */
const pausesMs = [100, 200, 400, 800, 1_600];

/** The first answer that is settled, or the last one. */
export async function patiently<T>(ask: () => Promise<T>, isSettled: (answer: T) => boolean, sleep: Sleep): Promise<T> {
  let answer = await ask();
  for (const pause of pausesMs) {
    if (isSettled(answer)) break;
    await sleep(pause);
    answer = await ask();
  }
  return answer;
}

/** Undefined is what has not appeared yet. */
export function untilThere<T>(ask: () => Promise<T | undefined>, sleep: Sleep): Promise<T | undefined> {
  return patiently(ask, (answer) => answer !== undefined, sleep);
}
