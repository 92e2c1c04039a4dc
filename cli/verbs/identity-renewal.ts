// `identity csr`, `complete`, `rotate` and `rollback`.
import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { withStoreOptions } from '../store/store-options.ts';
import { collect, withExamples, withIdentitySettings, withJson, withKmsKey } from './options.ts';

export function addRenewal(identity: Command, context: CommandContext): void {
  withExamples(
    withKmsKey(
      withStoreOptions(withJson(identity.command('csr <name>')))
        .summary('print the certificate request that waits, or make a key and its request')
        .description(
          'Prints the certificate request that waits for a signature. If none waits and Secrets Manager does not rotate the identity, makes and stores a key, and prints its request.',
        )
        .option('--subject <name>', 'subject of a new request, RFC 4514; default is the current one, or CN=<name>')
        .option('--name <name>', 'dns:…, uri:…, email:… or ip:…, in a new request; repeatable', collect)
        .option('--key <kind>', 'key of a new request: EC_P256, EC_P384, RSA_2048, RSA_3072 or RSA_4096')
        .option('--reuse-key', 'make a new request for the current key')
        .option('--new', 'replace the waiting key and request'),
    ),
    'countersign identity csr acme > request.pem',
    "countersign identity csr acme --subject 'CN=bot-platform,O=Acme' --name dns:bot.acme.example",
  ).action(async (name, options) => (await import('../identity/csr.ts')).showRequest(name, options, context));

  withExamples(
    withIdentitySettings(withStoreOptions(withJson(identity.command('complete <name>'))))
      .summary('store the signed certificate')
      .description(
        'Joins the signed certificate with the waiting key, tests both like an import, and puts them into use. A rotation that waits for it continues.',
      )
      .requiredOption('--certificate <file>', 'the signed certificate, with or without its chain (- is standard input)')
      .option('--chain <files...>', 'its issuers, if they are not the current ones')
      .option('--wait', 'if a rotation waits for it, follow the rotation to its end')
      .option('--timeout <seconds>', 'how long to follow the rotation', '600'),
    'countersign identity complete acme --certificate certificate.pem --chain issuer.pem root.pem',
  ).action(async (name, options) => (await import('../identity/complete.ts')).completeIdentity(name, options, context));

  withExamples(
    withStoreOptions(withJson(identity.command('rotate <name>')))
      .summary('have Secrets Manager replace the certificate')
      .description('Starts a rotation, or continues the one under way (docs/rotation.md).')
      .option('--wait', 'follow the rotation to its end')
      .option('--timeout <seconds>', 'how long to follow the rotation', '600'),
    'countersign identity rotate platform --wait',
  ).action(async (name, options) => (await import('../identity/rotate.ts')).rotateIdentity(name, options, context));

  withExamples(
    withStoreOptions(withJson(identity.command('rollback <name>')))
      .summary('go back to the previous version')
      .description(
        'Prints the previous version, asks for confirmation, and puts it into use. The current version becomes the previous one.',
      )
      .option('--yes', 'skip the confirmation'),
    'countersign identity rollback acme',
    'countersign identity rollback acme --yes --json',
  ).action(async (name, options) => (await import('../identity/rollback.ts')).rollBackIdentity(name, options, context));
}
