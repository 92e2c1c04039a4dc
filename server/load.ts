// What a process has taken on at the moment: calls in flight and the bytes of their bodies, both bounded.
import { CountersignError } from '../functions/errors.ts';

export interface Load {
  readonly callsInFlight: number;
  /**
   * Takes a call on; `bytes` are those of its body, or as many as it may have where it does not say. Throws `too-busy`.
   * @returns to be called once, when its answer is on its way
   */
  take(bytes: number): () => void;
}

export function createLoad(maxCalls: number, maxBytes: number): Load {
  let calls = 0;
  let bytesHeld = 0;
  return {
    get callsInFlight() {
      return calls;
    },
    take(bytes) {
      if (calls >= maxCalls) throw tooBusy(`${maxCalls} calls are in flight in this process already.`, 'calls');
      if (bytesHeld + bytes > maxBytes) throw tooBusy('The bodies of the calls in flight fill this process.', 'bytes');
      calls += 1;
      bytesHeld += bytes;
      return () => {
        calls -= 1;
        bytesHeld -= bytes;
      };
    },
  };
}

function tooBusy(detail: string, reason: string): CountersignError {
  return new CountersignError('too-busy', detail, { evidence: { reason } });
}
