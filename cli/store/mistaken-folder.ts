// A folder that is an identity itself, where the folder of all identities was meant.
import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { usageError } from '../exit-code.ts';

const keyFiles = ['private-key.pem', 'tls.key'];

/** Throws a usage error: in it every identity would seem not to be there. */
export async function requireParent(path: string): Promise<void> {
  const names = await readdir(path).catch((): string[] => []);
  if (!keyFiles.some((file) => names.includes(file))) return;
  throw usageError(`The directory ${path} is itself an identity: name the one above, ${dirname(path)}.`);
}
