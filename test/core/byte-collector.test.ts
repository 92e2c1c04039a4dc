// The buffer that bodies are collected in: bounded, and sized by what has arrived, not by what was announced.
import { describe, expect, it } from 'vitest';
import { ByteCollector, collectBytes } from '../../core/byte-collector.ts';

async function* chunksOf(...chunks: string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

describe('a collector', () => {
  it('returns a single chunk without a copy', () => {
    const collector = new ByteCollector({ maxBytes: 10 });
    const chunk = Buffer.from('abc');
    expect(collector.bytes).toEqual(Buffer.alloc(0));
    expect(collector.add(chunk)).toBe(true);
    expect(collector.bytes.buffer).toBe(chunk.buffer);
    expect(collector.bytes.toString()).toBe('abc');
  });

  it('copies later chunks, and leaves returned bytes unchanged', () => {
    const collector = new ByteCollector({ maxBytes: 100_000 });
    const first = Buffer.from('abc');
    const second = Buffer.from('def');
    collector.add(first);
    collector.add(second);
    const early = collector.bytes;
    second.fill('x');
    for (let at = 0; at < 50_000; at++) collector.add(Buffer.from('g'));
    expect(early.toString()).toBe('abcdef');
    expect(first.toString()).toBe('abc');
    expect(collector.bytes.toString()).toBe(`abcdef${'g'.repeat(50_000)}`);
  });

  it('takes the bytes that fit and reports the overflow', () => {
    const collector = new ByteCollector({ maxBytes: 5 });
    expect(collector.add(Buffer.from('abc'))).toBe(true);
    expect(collector.add(Buffer.from('def'))).toBe(false);
    expect(collector.bytes.toString()).toBe('abcde');
    expect(collector.add(Buffer.alloc(0))).toBe(true);
    expect(collector.add(Buffer.from('f'))).toBe(false);
    expect(new ByteCollector({ maxBytes: 2 }).add(Buffer.from('abc'))).toBe(false);
  });

  it('allocates little for a large announced length, and at most twice the received bytes', () => {
    const held: number[] = [];
    const options = { maxBytes: 6_000_000, hold: (bytes: number) => held.push(bytes) };
    const collector = new ByteCollector({ ...options, expectedBytes: 5_000_000 });
    collector.add(Buffer.alloc(1));
    collector.add(Buffer.alloc(1));
    expect(held).toEqual([1, 16_384]);
    while (collector.size < 5_000_000) {
      collector.add(Buffer.alloc(Math.min(1_000, 5_000_000 - collector.size)));
      expect(held.at(-1)).toBeLessThanOrEqual(Math.max(16_384, 2 * collector.size));
    }
    expect(held.at(-1)).toBe(5_000_000);
    expect(held.length).toBeLessThan(15);
  });

  it('allocates a small announced length once', () => {
    const held: number[] = [];
    const collector = new ByteCollector({ maxBytes: 100_000, expectedBytes: 9_000, hold: (bytes) => held.push(bytes) });
    for (let at = 0; at < 9; at++) collector.add(Buffer.alloc(1_000));
    expect(held).toEqual([1_000, 9_000]);
  });

  it('takes more than was announced', () => {
    const collector = new ByteCollector({ maxBytes: 100, expectedBytes: 2 });
    for (const chunk of ['ab', 'cd', 'ef']) collector.add(Buffer.from(chunk));
    expect(collector.bytes.toString()).toBe('abcdef');
  });

  it('starts again after it was cleared', () => {
    const collector = new ByteCollector({ maxBytes: 3 });
    collector.add(Buffer.from('abc'));
    collector.clear();
    expect(collector.size).toBe(0);
    expect(collector.add(Buffer.from('xyz'))).toBe(true);
    expect(collector.bytes.toString()).toBe('xyz');
  });
});

describe('a stream', () => {
  it('is read completely up to the limit, and ends with an error above it', async () => {
    expect((await collectBytes(chunksOf('ab', 'c'), 3))?.toString()).toBe('abc');
    expect(await collectBytes(chunksOf(), 3)).toEqual(Buffer.alloc(0));
    const stream = chunksOf('ab', 'cd', 'ef');
    expect(await collectBytes(stream, 3)).toBeUndefined();
    expect((await stream.next()).done).toBe(true);
  });

  it('that fails rejects the promise', async () => {
    async function* failing() {
      yield Buffer.from('a');
      throw new Error('reset');
    }
    await expect(collectBytes(failing(), 3)).rejects.toThrow('reset');
  });
});
