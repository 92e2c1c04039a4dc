// `identity import`: its words.
import { type Command, Option } from 'commander';
import { type CommandContext, withExamples, withJson } from '../../context.ts';
import { withStore } from '../../store/chosen-store.ts';

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

/** Of the verbs that may make a secret. */
export function withKmsKey(command: Command): Command {
  return command.option(
    '--kms-key <id>',
    'that encrypts a new secret on AWS, default: the one of AWS (alias/Countersign)',
  );
}

export function withPassphrase(command: Command): Command {
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

/** Where an identity may go, and how it is renewed. */
export function withSettings(command: Command): Command {
  return withDestinationSettings(
    command
      .optionsGroup('Where it may go:')
      .option('--destination <place>', 'https://host:port or host:port; may be given again', collect)
      .option('--destinations <file>', 'a JSON list (docs/destinations.md)'),
  )
    .optionsGroup('Options:')
    .option('--renewal <kind or file>', 'manual, or a JSON file (docs/identities.md): how it is rotated');
}

export function withDestinationSettings(command: Command): Command {
  return command
    .option('--require-mutual', 'fail where the server asks for no client certificate')
    .option('--network <network>', 'public (default), private or loopback: which addresses it may have')
    .option('--server-roots <file>', 'PEM: trust these for its server certificate, and nothing else')
    .option('--server-name <name>', 'that the server certificate is for, where it is not the host')
    .option('--pin <pin>', 'sha256/…, of a public key in its chain; may be given again', collect)
    .option('--probe <path>', 'what GET with status 200 proves that access is granted');
}

export function collect(value: string, sofar: readonly string[] = []): readonly string[] {
  return [...sofar, value];
}
