// Bounds what one process takes on: calls in flight, and the bytes of their bodies.
import { CountersignError } from '../../core/errors.ts';

export interface LoadLimit {
  /** Includes calls whose body has not arrived. */
  readonly callsInFlight: number;
  /** @param announced Content-Length in bytes, or 0. Throws `too-busy` if the body does not fit now. */
  admit(announced: number): AdmittedCall;
}

export interface AdmittedCall {
  /** Sets the bytes that are buffered for the call; announced bytes reserve nothing. Throws `too-busy`. */
  setBufferedBytes(bytes: number): void;
  /**
   * Counts the call against `maxCalls`, once its body has arrived: a caller that announces a body and does not send it
   * must not take a slot from others. Throws `too-busy`.
   */
  start(): void;
  /** Call it once, after the answer. */
  release(): void;
}

export function createLoadLimit(maxCalls: number, maxBytes: number): LoadLimit {
  let calls = 0;
  let started = 0;
  let buffered = 0;
  return {
    get callsInFlight() {
      return calls;
    },
    admit(announced) {
      requireSlot();
      requireBytes(announced);
      calls += 1;
      let own = 0;
      let hasStarted = false;
      const setBufferedBytes = (bytes: number) => {
        if (bytes > own) requireBytes(bytes - own);
        buffered += bytes - own;
        own = bytes;
      };
      return {
        setBufferedBytes,
        start() {
          requireSlot();
          started += 1;
          hasStarted = true;
        },
        release() {
          calls -= 1;
          if (hasStarted) started -= 1;
          setBufferedBytes(0);
        },
      };
    },
  };

  function requireSlot(): void {
    if (started >= maxCalls) throw tooBusy(`This process already has ${maxCalls} calls in flight.`, 'calls');
  }

  function requireBytes(bytes: number): void {
    if (buffered + bytes > maxBytes) {
      throw tooBusy('The request bodies of the calls in flight fill the buffer of this process.', 'bytes');
    }
  }
}

function tooBusy(detail: string, reason: string): CountersignError {
  return new CountersignError('too-busy', detail, { evidence: { reason } });
}
