// Options and help texts that several verbs share.
import type { Command } from 'commander';

/** Every verb but `serve`. */
export function withJson(command: Command): Command {
  return command.option('--json', 'the output as JSON');
}

/** Command lines under "Examples:" at the end of a verb's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  const text = lines.map((line) => `  ${line}`).join('\n');
  return command.addHelpText('after', `\n${lines.length > 1 ? 'Examples' : 'Example'}:\n${text}`);
}

/** Parser for a repeatable option: collects the values in order. */
export function collect(value: string, sofar: readonly string[] = []): readonly string[] {
  return [...sofar, value];
}

/** For verbs that can create a secret. */
export function withKmsKey(command: Command): Command {
  return command.option(
    '--kms-key <id>',
    'encrypts a new secret on AWS; default is the key of AWS (alias/Countersign)',
  );
}

/** Destinations and renewal of an identity. */
export function withIdentitySettings(command: Command): Command {
  return withDestinationSettings(
    command
      .optionsGroup('Destinations:')
      .option('--destination <place>', 'https://host:port or host:port; repeatable', collect)
      .option('--destinations <file>', 'a JSON list (docs/destinations.md)'),
  )
    .optionsGroup('Options:')
    .option('--renewal <kind or file>', 'how it is rotated: manual, or a JSON file (docs/identities.md)');
}

export function withDestinationSettings(command: Command): Command {
  return command
    .option('--require-mutual', 'fail if the server does not request a client certificate')
    .option('--network <network>', 'public (default), private or loopback: the allowed addresses')
    .option('--server-roots <file>', 'PEM file: the only roots to trust for its server certificate')
    .option('--server-name <name>', 'the name in the server certificate, if it is not the host')
    .option('--pin <pin>', 'sha256/…, of a public key in its chain; repeatable', collect)
    .option('--probe <path>', 'GET of this path with status 200 proves that access is granted')
    .option('--no-reach', 'do not connect to added destinations; without it, those that ask get --require-mutual');
}
