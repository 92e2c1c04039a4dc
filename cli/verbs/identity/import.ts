// `identity import`: its words.
import { type Command, Option } from 'commander';
import type { CommandContext } from '../../context.ts';
import { withStore } from '../../store/chosen-store.ts';
import { withExamples, withJson } from '../options.ts';
import { withKmsKey, withSettings } from './options.ts';

export function addImport(identity: Command, context: CommandContext): void {
  const command = identity
    .command('import <name> <files...>')
    .summary('make an identity of keys and certificates in files')
    .description(
      'Makes an identity of the key and the certificates in the files (PEM, DER, PKCS#12, PKCS#7, PKCS#8, JKS; in any order, - is standard input), proves it by handshakes, and stores it.',
    );
  withKmsKey(
    withPassphrase(withSettings(withStore(withJson(command))))
      .option('--dry-run', 'do everything but store it')
      .option('--replace', 'make it a new version where the identity exists; what is not said anew is kept'),
  );
  withExamples(
    command,
    'countersign identity import acme bot.p12 --passphrase-file passphrase.txt --destination https://api.acme.example',
    'countersign identity import acme key.pem certificate.pem chain.pem --source directory:/etc/countersign --dry-run',
  ).action(async (name, files, options) =>
    (await import('../../identity/import.ts')).importIdentity(name, files, options, context),
  );
}

function withPassphrase(command: Command): Command {
  return (
    command
      .option(
        '--passphrase-file <file>',
        'whose first line is the passphrase of what is encrypted (- is standard input)',
      )
      .option('--passphrase-env <variable>', 'that holds the passphrase; without either you are asked, on a terminal')
      .addOption(new Option('--passphrase [value]').hideHelp())
      // What other programs call it: an unknown option would be said again, with its value.
      .addOption(new Option('--password [value]').hideHelp())
      .addOption(new Option('--pass [value]').hideHelp())
  );
}
