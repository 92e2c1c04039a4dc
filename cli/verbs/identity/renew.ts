// `identity csr`, `complete`, `rotate` and `rollback`: their words.
import type { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { withStore } from '../../store/chosen-store.ts';
import { collect, withExamples, withJson } from '../options.ts';
import { withKmsKey, withSettings } from './options.ts';

export function addRenewal(identity: Command, context: CommandContext): void {
  withExamples(
    withKmsKey(
      withStore(withJson(identity.command('csr <name>')))
        .summary('the certificate request that waits for a signature, or a new key and its request')
        .description(
          'Prints the certificate request that waits for a signature. Where none does, and nothing rotates the identity by itself, a new key is made and kept, and its request printed.',
        )
        .option('--subject <name>', 'of a new request, RFC 4514; without it the current one, or CN=<name>')
        .option('--name <name>', 'dns:…, uri:…, email:… or ip:…, of a new request; may be given again', collect)
        .option('--key <kind>', 'EC_P256, EC_P384, RSA_2048, RSA_3072 or RSA_4096, of a new request')
        .option('--reuse-key', 'make a new request for the current key')
        .option('--new', 'give up the key and the request that wait, and make others'),
    ),
    'countersign identity csr acme > request.pem',
    "countersign identity csr acme --subject 'CN=bot-platform,O=Acme' --name dns:bot.acme.example",
  ).action(async (name, options) => (await import('../../identity/request.ts')).showRequest(name, options, context));

  withExamples(
    withSettings(withStore(withJson(identity.command('complete <name>'))))
      .summary('put the signed certificate in')
      .description(
        'Joins the signed certificate with the key that waits for it, proves both like an import, and puts them into use; a rotation that waits for it goes on.',
      )
      .requiredOption(
        '--certificate <file>',
        'what came back from the authority, with its chain or without (- is standard input)',
      )
      .option('--chain <files...>', 'its issuers, where they are not the ones in use')
      .option('--wait', 'where a rotation waits for it: follow that until it is done')
      .option('--timeout <seconds>', 'how long to follow it', '600'),
    'countersign identity complete acme --certificate certificate.pem --chain issuer.pem root.pem',
  ).action(async (name, options) =>
    (await import('../../identity/complete.ts')).completeIdentity(name, options, context),
  );

  withExamples(
    withStore(withJson(identity.command('rotate <name>')))
      .summary('have Secrets Manager replace the certificate')
      .description('Begins a rotation, or goes on with the one under way (docs/rotation.md).')
      .option('--wait', 'follow it until it is done')
      .option('--timeout <seconds>', 'how long to follow it', '600'),
    'countersign identity rotate platform --wait',
  ).action(async (name, options) => (await import('../../identity/rotate.ts')).rotateIdentity(name, options, context));

  withExamples(
    withStore(withJson(identity.command('rollback <name>')))
      .summary('go back to the version before')
      .description(
        'Shows what the version before is, asks, and puts it into use again; the current one becomes the one before.',
      )
      .option('--yes', 'do not ask'),
    'countersign identity rollback acme',
    'countersign identity rollback acme --yes --json',
  ).action(async (name, options) =>
    (await import('../../identity/rollback.ts')).rollBackIdentity(name, options, context),
  );
}
