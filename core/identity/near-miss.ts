// Tells a key of the identity document that was misspelt from one that somebody else put there on purpose.
import { unusable } from './unusable.ts';

/** docs/identities.md, "The identity document". */
const knownKeys: ReadonlySet<string> = new Set([
  'privateKey',
  'certificate',
  'intermediateCertificates',
  'rootCertificate',
  'destinations',
  'renewal',
]);

/** One slip of the fingers, or two; two names that are meant to differ differ by more. */
const mostEdits = 2;

/**
 * Unknown keys are allowed, but `destination` in place of `destinations` would open the identity to every public host:
 * what is nearly the name of a key is refused. Throws `identity-unusable`, `document-malformed`.
 */
export function refuseNearMisses(document: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(document)) {
    const meant = knownKeys.has(key) ? undefined : [...knownKeys].find((known) => isNear(key, known));
    if (meant === undefined) continue;
    const sentence = `${JSON.stringify(key)} is not a key of the document; is ${JSON.stringify(meant)} meant?`;
    throw unusable('document-malformed', key, sentence);
  }
}

function isNear(key: string, known: string): boolean {
  const plain = (name: string) => name.replaceAll(/[-_]/g, '').toLowerCase();
  return (
    (key.length <= 2 * known.length && plain(key) === plain(known)) ||
    (Math.abs(key.length - known.length) <= mostEdits && edits(key, known) <= mostEdits)
  );
}

/** Levenshtein's distance: how many characters must be put in, taken out or replaced. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [at, character] of [...from].entries()) {
    const next = [at + 1];
    for (let index = 1; index <= to.length; index++) {
      const replaced = (row[index - 1] ?? 0) + (character === to[index - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
