// Kills `countersign identity renew` before one of its changes of the file system, and runs it again.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { expectRenewed, type RenewalGround } from './renewal-ground.ts';
import { root, runCommand } from './run-command.ts';

const killer = pathToFileURL(join(root, 'test/support/cli/kill-at-change.ts')).href;

/**
 * Asserts that the second run ends with one current version. Returns how often the issuer signed; undefined if the run
 * has fewer changes than `at`.
 */
export async function killAndContinue(
  renewal: RenewalGround,
  destinations: readonly object[],
  at: number,
): Promise<number | undefined> {
  const name = `bot-${at}`;
  const before = renewal.putRenewed(name, destinations);
  const asked = renewal.enrolments();
  const environment = { NODE_OPTIONS: `--import ${killer}`, KILL_AT_CHANGE: String(at) };
  const args = ['identity', 'renew', name, '--source', renewal.source];
  const killed = await runCommand(args, { environment });
  if (killed.code === 0) return undefined;
  expect(killed.code, killed.error).toBe(null);
  // Calls have a usable identity at any moment.
  await renewal.at(name);
  const again = await runCommand(args);
  expect([at, again.code, again.error]).toEqual([at, 0, '']);
  await expectRenewed(renewal, name, before);
  return renewal.enrolments() - asked;
}
