// `identity trust-pack`: its words.
import type { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { withStore } from '../../store/chosen-store.ts';
import { withExamples, withJson } from '../options.ts';

export function addTrustPack(identity: Command, context: CommandContext): void {
  withExamples(
    withStore(withJson(identity.command('trust-pack <name>')))
      .summary('the folder a customer gets to let the identity in')
      .description(
        "Writes a folder for a customer: the chain in PEM, DER and PKCS#7, fingerprints, pins and dates, the next certificate while a rotation is under way, and the configuration of the customer's server.",
      )
      .requiredOption('--out <folder>', 'that does not exist yet, or is empty')
      .option('--host <place>', "the customer's host or host:port; without it the first destination that is one host")
      .option('--files <folder>', "where the customer's server has its certificates", '/etc/ssl/api')
      .option('--behind <place>', "host:port of what answers behind the customer's server", '127.0.0.1:8080'),
    'countersign identity trust-pack acme --out acme-trust-pack',
    'countersign identity trust-pack acme --host api.acme.example:8443 --out acme-trust-pack',
  ).action(async (name, options) =>
    (await import('../../identity/trust-pack.ts')).makeTrustPack(name, options, context),
  );
}
