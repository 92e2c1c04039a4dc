import { describe, expect, it } from 'vitest';
import { createLoadLimit } from '../../../serve/http/load-limit.ts';

describe('the load limit', () => {
  it('bounds calls and bytes, and frees them on release', () => {
    const load = createLoadLimit(2, 100);
    const tooBusy = (reason: string) => expect.objectContaining({ code: 'too-busy', evidence: { reason } });
    const first = load.admit(60);
    first.setBufferedBytes(60);
    expect(() => load.admit(41)).toThrow(tooBusy('bytes'));
    const second = load.admit(40);
    second.setBufferedBytes(30);
    second.setBufferedBytes(40);
    expect(() => second.setBufferedBytes(41)).toThrow(tooBusy('bytes'));
    const third = load.admit(0);
    for (const one of [first, second]) one.start();
    expect(() => load.admit(0)).toThrow(tooBusy('calls'));
    expect(() => third.start()).toThrow(tooBusy('calls'));
    first.release();
    third.release();
    expect(load.callsInFlight).toBe(1);
    const fourth = load.admit(60);
    fourth.setBufferedBytes(60);
    fourth.start();
    expect(() => load.admit(0)).toThrow(tooBusy('calls'));
  });

  it('counts no announced bytes and no call without its body', () => {
    const load = createLoadLimit(1, 100);
    load.admit(100);
    load.admit(100);
    const call = load.admit(100);
    call.setBufferedBytes(100);
    call.start();
  });
});
