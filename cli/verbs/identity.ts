// `identity`: the verbs that look at identities and change them.
import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { withStore } from '../store/chosen-store.ts';
import { addDestinations } from './identity/destinations.ts';
import { addImport } from './identity/import.ts';
import { addRenewal } from './identity/renew.ts';
import { addTrustPack } from './identity/trust-pack.ts';
import { withExamples, withJson } from './options.ts';

export function addIdentity(program: Command, context: CommandContext): void {
  const identity = program.command('identity').description('import, look at, renew and change identities');
  addImport(identity, context);

  withExamples(
    withStore(withJson(identity.command('list').description('every identity, with its state and its days'))),
    'countersign identity list',
    'countersign identity list --source directory:/etc/countersign --json',
  ).action(async (options) => (await import('../identity/list.ts')).listIdentities(options, context));

  withExamples(
    withStore(
      withJson(
        identity.command('inspect <name>').description('its chain, dates, pins, destinations, renewal and rotation'),
      ),
    ).option('--stage <stage>', 'current, pending or previous', 'current'),
    'countersign identity inspect acme',
    'countersign identity inspect acme --stage pending --json',
  ).action(async (name, options) => (await import('../identity/inspect.ts')).inspectIdentity(name, options, context));
  addRenewal(identity, context);
  addDestinations(identity, context);
  addTrustPack(identity, context);
}
