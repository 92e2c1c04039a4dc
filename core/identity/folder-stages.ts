// The versions in the folder of one identity: links that lead to the current, previous and pending one
// (docs/decisions/0023).
import { readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage } from './identity.ts';

export const folderLinks = {
  /** Leads to the version in use; every file of the identity is a link through it. */
  data: '..data',
  previous: '..previous',
  /** Leads to the version that is being replaced: the previous one as soon as `data` leads elsewhere. */
  replaced: '..replaced',
  /** Leads to the version that a renewal tests, and still does for a moment when that is in use. */
  pending: '..pending',
} as const;

/** The target of a link in the folder, relative to it; undefined if it leads nowhere. */
export async function linkTarget(folder: string, name: string): Promise<string | undefined> {
  const target = await readlink(join(folder, name)).catch(undefinedIfAbsent);
  return target !== undefined && (await stat(join(folder, target)).catch(undefinedIfAbsent)) ? target : undefined;
}

/**
 * Two links cannot change in one step, so `..replaced` names the previous version from the moment that `..data`
 * changes.
 */
export async function previousTarget(folder: string): Promise<string | undefined> {
  const replaced = await linkTarget(folder, folderLinks.replaced);
  const isReplaced = replaced !== undefined && replaced !== (await linkTarget(folder, folderLinks.data));
  return isReplaced ? replaced : await linkTarget(folder, folderLinks.previous);
}

/** Path of the folder that has the files of a stage; undefined if nothing is at that stage. */
export async function folderOfStage(folder: string, stage: Stage): Promise<string | undefined> {
  if (stage === 'AWSCURRENT') return folder;
  const target = stage === 'AWSPREVIOUS' ? await previousTarget(folder) : await linkTarget(folder, folderLinks.pending);
  const isInUse = stage === 'AWSPENDING' && target === (await linkTarget(folder, folderLinks.data));
  return target === undefined || isInUse ? undefined : join(folder, target);
}

/** For a path that is not there, or is not a link. Throws any other error. */
export function undefinedIfAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return undefined;
  throw error;
}
