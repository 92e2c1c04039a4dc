// Damages files as transfers, disks and attackers do; the same damage for the same seed.

/** mulberry32: small, fast, and the same everywhere. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** What lengths, tags and counts become when they are wrong. */
const telling = [0x00, 0x01, 0x04, 0x24, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff];

export function mutated(bytes: Buffer, others: readonly Buffer[], random: (below: number) => number): Buffer {
  const donor = others[random(others.length)] as Buffer;
  const at = random(bytes.length);
  const kinds = [
    () => {
      const copy = Buffer.from(bytes);
      for (let flips = 1 + random(8); flips > 0; flips--) {
        const place = random(copy.length);
        copy[place] = (copy[place] as number) ^ (1 << random(8));
      }
      return copy;
    },
    () => {
      const copy = Buffer.from(bytes);
      copy[at] = telling[random(telling.length)] as number;
      return copy;
    },
    // Structure stands at the beginning: lengths, algorithms, counts.
    () => {
      const copy = Buffer.from(bytes);
      copy[random(Math.min(copy.length, 120))] = telling[random(telling.length)] as number;
      return copy;
    },
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + random(64)))]),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random(64)))]),
    () => Buffer.concat([bytes.subarray(0, at), donor.subarray(random(donor.length))]),
    () => {
      const from = random(donor.length);
      const piece = donor.subarray(from, from + 1 + random(200));
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(Math.min(bytes.length, at + piece.length))]);
    },
  ];
  return (kinds[random(kinds.length)] as () => Buffer)();
}
