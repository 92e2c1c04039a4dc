// A map that cannot grow without limit, for caches whose keys come from outside.

export interface BoundedMapOptions {
  /** When one more is set, the entry that was set longest ago is evicted. */
  readonly maxEntries: number;
  /** From `set` until the entry expires, in milliseconds. Without it, entries do not expire. */
  readonly ttlMs?: number;
  /** Milliseconds; any fixed starting point. Needed with `ttlMs`. */
  readonly now?: () => number;
}

interface Entry<Value> {
  readonly value: Value;
  readonly expiresAt: number;
}

export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Entry<Value>>();
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #now: () => number;

  constructor({ maxEntries, ttlMs = Number.POSITIVE_INFINITY, now = () => 0 }: BoundedMapOptions) {
    this.#maxEntries = maxEntries;
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  /** Expired entries that were not read since are counted too. */
  get size(): number {
    return this.#entries.size;
  }

  /** Undefined when there is no entry, or it has expired. */
  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#now() < entry.expiresAt) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: Key, value: Value): void {
    // Deleted first, so that the order of the map is the order of `set`.
    this.#entries.delete(key);
    this.#entries.set(key, { value, expiresAt: this.#now() + this.#ttlMs });
    if (this.#entries.size > this.#maxEntries) this.#entries.delete(this.#entries.keys().next().value as Key);
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  deleteWhere(matches: (value: Value) => boolean): void {
    for (const [key, { value }] of this.#entries) if (matches(value)) this.#entries.delete(key);
  }
}
