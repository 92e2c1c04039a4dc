// What a process has taken on at the moment: calls in flight and the bytes of their bodies, both bounded.
import { CountersignError } from '../../core/errors.ts';

export interface Load {
  /** With those whose body is not there yet. */
  readonly callsInFlight: number;
  /** Takes a call on; `announced` bytes are those that its body says it has, or 0. Throws `too-busy` where they do not fit now. */
  take(announced: number): TakenCall;
}

export interface TakenCall {
  /** So many bytes are held for it from now on. What is only announced takes no room from others. Throws `too-busy`. */
  hold(bytes: number): void;
  /** Its body is there. Until then it takes nobody's place: a caller may announce what it never sends. Throws `too-busy`. */
  begin(): void;
  /** To be called once, when its answer is on its way. */
  release(): void;
}

export function createLoad(maxCalls: number, maxBytes: number): Load {
  let calls = 0;
  let begun = 0;
  let bytesHeld = 0;
  return {
    get callsInFlight() {
      return calls;
    },
    take(announced) {
      requirePlace();
      requireRoom(announced);
      calls += 1;
      let held = 0;
      let hasBegun = false;
      const hold = (bytes: number) => {
        if (bytes > held) requireRoom(bytes - held);
        bytesHeld += bytes - held;
        held = bytes;
      };
      return {
        hold,
        begin() {
          requirePlace();
          begun += 1;
          hasBegun = true;
        },
        release() {
          calls -= 1;
          if (hasBegun) begun -= 1;
          hold(0);
        },
      };
    },
  };

  function requirePlace(): void {
    if (begun >= maxCalls) throw tooBusy(`${maxCalls} calls are in flight in this process already.`, 'calls');
  }

  function requireRoom(bytes: number): void {
    if (bytesHeld + bytes > maxBytes) throw tooBusy('The bodies of the calls in flight fill this process.', 'bytes');
  }
}

function tooBusy(detail: string, reason: string): CountersignError {
  return new CountersignError('too-busy', detail, { evidence: { reason } });
}
