// The archive of an npm package, with the same bytes everywhere, which `npm pack` does not promise.
import { cpSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { manifest } from '../build/manifest.ts';
import { gzip, normalizeTree, writeTar } from './tar.ts';

/** Packs `folder`. @returns the name of the file, as `npm pack` names it */
export async function writeNpmPackage(
  release: string,
  name: string,
  folder: string,
  scratch: string,
  seconds: number,
): Promise<string> {
  const base = `${name.replace('@', '').replace('/', '-')}-${manifest.version}`;
  const parent = join(scratch, base);
  mkdirSync(parent);
  cpSync(folder, join(parent, 'package'), { recursive: true });
  normalizeTree(parent, seconds);
  const file = join(release, `${base}.tar`);
  await writeTar(file, parent, 'package', seconds);
  await gzip(file);
  // The ending that npm expects.
  renameSync(`${file}.gz`, join(release, `${base}.tgz`));
  return `${base}.tgz`;
}
