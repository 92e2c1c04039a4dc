import { describe, expect, it } from 'vitest';
import { BoundedMap } from '../../core/bounded-map.ts';

describe('BoundedMap', () => {
  it('returns what was set, and undefined after delete', () => {
    const map = new BoundedMap<string, number>({ maxEntries: 2 });
    map.set('a', 1);
    expect(map.get('a')).toBe(1);
    map.delete('a');
    expect(map.get('a')).toBeUndefined();
    expect(map.size).toBe(0);
  });

  it('evicts the entry that was set longest ago', () => {
    const map = new BoundedMap<string, number>({ maxEntries: 2 });
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    map.set('c', 4);
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([3, undefined, 4]);
    expect(map.size).toBe(2);
  });

  it('expires an entry after its time to live, counted from the last set', () => {
    let now = 1_000;
    const map = new BoundedMap<string, number>({ maxEntries: 2, ttlMs: 100, now: () => now });
    map.set('a', 1);
    now += 99;
    expect(map.get('a')).toBe(1);
    map.set('a', 2);
    now += 99;
    expect(map.get('a')).toBe(2);
    now += 1;
    expect(map.get('a')).toBeUndefined();
    expect(map.size).toBe(0);
  });

  it('deletes the entries that match', () => {
    const map = new BoundedMap<string, number>({ maxEntries: 3 });
    for (const value of [1, 2, 3]) map.set(String(value), value);
    map.deleteWhere((value) => value !== 2);
    expect([map.get('1'), map.get('2'), map.get('3')]).toEqual([undefined, 2, undefined]);
  });
});
