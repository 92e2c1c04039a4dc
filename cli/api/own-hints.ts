// What to do about a problem where the identities are in a directory: whoever reads it is the platform of the functions' own hints.
import { closedPathOf } from '../store/closed-path.ts';
import type { Problem } from './api.ts';

/** Undefined where those of the functions will do. `path` is that of the directory. */
export async function ownHint(problem: Problem, identity: string, path: string): Promise<string | undefined> {
  const { code, evidence } = problem as Problem & { readonly evidence?: Readonly<Record<string, unknown>> };
  const verb = (words: string) => `countersign identity ${words} --source ${quoted(`directory:${path}`)}`;
  switch (code) {
    case 'destination-forbidden': {
      const { addressClass } = evidence ?? {};
      if (addressClass === 'forbidden') return undefined;
      if (addressClass !== undefined) {
        return `If this address is meant, remove the destination and add it again with --network ${String(addressClass)}: ${verb(`destinations ${identity} list`)}`;
      }
      return `If the identity may go there: ${verb(`destinations ${identity} add HOST:PORT`)}`;
    }
    case 'identity-not-found':
      return `Those that there are: ${verb('list')}`;
    case 'identity-unusable':
      return `What is wrong with it: ${verb(`inspect ${identity}`)}`;
    case 'identity-unavailable':
      return await closedPathOf(path, identity);
    default:
      return undefined;
  }
}

/** For a shell. */
export function quoted(text: string): string {
  return /^[\w/:.@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
