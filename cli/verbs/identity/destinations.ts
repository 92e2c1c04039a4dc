// `identity destinations`: its words.
import type { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { usageError } from '../../exit-code.ts';
import { withStore } from '../../store/chosen-store.ts';
import { withExamples, withJson } from '../options.ts';
import { withDestinationSettings } from './options.ts';

const actions = ['list', 'add', 'remove', 'set'] as const;

export function addDestinations(identity: Command, context: CommandContext): void {
  const command = identity
    .command('destinations <name>')
    .argument('[action]', 'list, add, remove or set', 'list')
    .argument('[places...]', 'https://host:port or host:port')
    .summary('where an identity may go: list, add, remove, set')
    .description('Lists where an identity may be presented, or changes it as a new version of the identity.');
  withDestinationSettings(withStore(withJson(command)).optionsGroup('Of those that are added or set:'))
    .optionsGroup('Options:')
    .option('--file <file>', 'set: a JSON list in place of places (docs/destinations.md; - is standard input)')
    .option('--dry-run', 'show the list as it would be, and store nothing');
  withExamples(
    command,
    'countersign identity destinations acme list',
    'countersign identity destinations acme add https://api.acme.example:8443 --require-mutual',
    'countersign identity destinations acme remove api.acme.example:8443',
    'countersign identity destinations acme set --file destinations.json',
  ).action(async (name: string, action: string, places: readonly string[], options) => {
    if (!(actions as readonly string[]).includes(action)) {
      throw usageError(`"${action}" is none of ${actions.join(', ')}: write one of them before the places.`);
    }
    const story = await import('../../identity/destinations.ts');
    if (action !== 'set' && options.file !== undefined) throw usageError('--file is for set.');
    if (action === 'list') {
      if (places.length > 0) throw usageError('list takes no places.');
      return await story.listDestinations(name, options, context);
    }
    if (action === 'set') return await story.setDestinations(name, places, options, context);
    if (places.length === 0) throw usageError(`Say what to ${action}: host, host:port or https://host:port.`);
    if (action === 'add') return await story.addDestinations(name, places, options, context);
    return await story.removeDestinations(name, places, options, context);
  });
}
