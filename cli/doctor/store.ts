// The store of identities before it is opened: whether the environment names it rightly, and whether it is there.
import { CommanderError } from 'commander';
import { variables } from '../../core/settings.ts';
import type { CommandContext } from '../context.ts';
import { chosenStore, type StoreOptions } from '../store/chosen-store.ts';
import type { IdentityStore } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import type { Check } from './check.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined when it is sound. Throws a usage error where the command line is wrong: that is no matter of the installation. */
export function checkStoreSettings(options: StoreOptions, environment: Environment): Check | undefined {
  try {
    chosenStore(options, environment);
    return undefined;
  } catch (thrown) {
    chosenStore(options, withoutStore(environment));
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
      remedy: 'Say with --source where identities are: directory:PATH, local or aws.',
    };
  }
}
