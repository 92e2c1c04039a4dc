// Checks of Node, of the environment variables, and of the settings of the store.

import { CommanderError } from 'commander';
import { readSettings, variables } from '../../core/settings.ts';
import type { CommandContext } from '../context.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import { resolveStore, type StoreOptions } from '../store/store-options.ts';
import type { Check } from './check.ts';

/** The tested version, which the archive, the Debian package and the image contain. */
const testedMajor = 24;

export function checkNode(version: string): Check {
  const major = Number(version.split('.')[0]);
  const detail = `Node ${version}, OpenSSL ${process.versions.openssl}`;
  if (major === testedMajor) return { check: 'node', status: 'ok', detail };
  return {
    check: 'node',
    status: 'warning',
    detail: `${detail}; Countersign is tested with Node ${testedMajor}`,
    remedy: `Install Node ${testedMajor}, or the archive of Countersign, which contains it.`,
  };
}

const known: ReadonlySet<string> = new Set([
  ...Object.values(variables),
  'COUNTERSIGN_OPTIONS',
  'COUNTERSIGN_TRACE',
  'COUNTERSIGN_NO_INSTALL',
]);

/** Prints names of variables, never their values. */
export function checkSettings(environment: Readonly<Record<string, string | undefined>>): Check[] {
  const warn = (subject: string, detail: string, remedy: string): Check => ({
    check: 'settings',
    subject,
    status: 'warning',
    detail,
    remedy,
  });
  const found: Check[] = [];
  try {
    readSettings({ ...environment, [variables.identitySource]: undefined });
  } catch (thrown) {
    found.push({
      check: 'settings',
      status: 'failure',
      detail: (thrown as Error).message,
      remedy: 'Correct the variable, or unset it.',
    });
  }
  for (const name of Object.keys(environment).sort()) {
    if (name.startsWith('COUNTERSIGN_') && !known.has(name)) {
      found.push(
        warn(name, 'is set and is not a setting of Countersign', 'Check its spelling against docs/deploy.md.'),
      );
    }
  }
  const nodeOptions = environment.NODE_OPTIONS ?? '';
  if (/--tls-keylog/.test(nodeOptions)) {
    found.push(warn('NODE_OPTIONS', 'writes the keys of every connection to a file', 'Remove --tls-keylog from it.'));
  }
  if (/--inspect/.test(nodeOptions)) {
    found.push(warn('NODE_OPTIONS', 'lets a debugger read the private keys', 'Remove --inspect from it.'));
  }
  const proxy = ['HTTPS_PROXY', 'https_proxy'].find((name) => environment[name]);
  if (proxy !== undefined) {
    found.push(
      warn(
        proxy,
        'is set, and Countersign connects to destinations directly',
        'Allow direct connections in the firewall. A proxy is not used.',
      ),
    );
  }
  return found.length > 0 ? found : [{ check: 'settings', status: 'ok', detail: 'the environment is valid' }];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Undefined if the settings are valid. Throws a usage error for a wrong command line, which is not a fault of the
 * installation.
 */
export function checkStoreSettings(options: StoreOptions, environment: Environment): Check | undefined {
  try {
    resolveStore(options, environment);
    return undefined;
  } catch (thrown) {
    resolveStore(options, withoutStore(environment));
    const { message } = thrown as Error;
    const name = message.startsWith('--prefix') ? variables.secretPrefix : variables.identitySource;
    return {
      check: 'settings',
      status: 'failure',
      detail: message.replace(/^--(prefix|source)/, name),
      remedy: 'Correct the variable, or unset it.',
    };
  }
}

function withoutStore(environment: Environment): Environment {
  return { ...environment, [variables.identitySource]: undefined, [variables.secretPrefix]: undefined };
}

/** The store, or why it cannot be opened. */
export async function openCheckedStore(options: StoreOptions, context: CommandContext): Promise<IdentityStore | Check> {
  try {
    return await openStore(options, context);
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return {
      check: 'store',
      status: 'failure',
      detail: thrown.message,
      remedy: 'Name the store with --source: directory:PATH, local or aws.',
    };
  }
}
