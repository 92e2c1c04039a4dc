// Options that several verbs of `identity` have: written once, so that they read the same everywhere.
import type { Command } from 'commander';
import { collect } from '../options.ts';

/** Of the verbs that may make a secret. */
export function withKmsKey(command: Command): Command {
  return command.option(
    '--kms-key <id>',
    'that encrypts a new secret on AWS, default: the one of AWS (alias/Countersign)',
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
