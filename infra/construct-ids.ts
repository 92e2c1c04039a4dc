// Construct ids, from which CDK makes logical ids, for the names of identities.
import { createHash } from 'node:crypto';

/**
 * An id for each name, in the given order: `acme-bank` is `AcmeBank`. Names that differ only in hyphens would have the
 * same id, and logical ids have no hyphens: all but the first of them get a hash of the name as well.
 */
export function constructIds(names: Iterable<string>): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of new Set(names)) {
    const plain = pascalCase(name);
    const hash = createHash('sha256').update(name).digest('hex');
    const id = ['', hash.slice(0, 8)].map((end) => plain + end).find((one) => !taken.has(one)) ?? plain + hash;
    ids.set(name, id);
    taken.add(id);
  }
  return ids;
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|-)([a-z0-9]?)/g, (_, first: string) => first.toUpperCase());
}
