// `identity`: the verbs that print and change identities.
import { type Command, Option } from 'commander';
import type { CommandContext } from '../context.ts';
import { usageError } from '../exit-code.ts';
import { withStoreOptions } from '../store/store-options.ts';
import {
  collect,
  withDestinationSettings,
  withExamples,
  withIdentitySettings,
  withJson,
  withKmsKey,
} from './options.ts';

/** To add a verb of `identity`: a function like those below, and its name here. */
const verbs = [addImport, addList, addInspect, addRenewal, addDestinations, addTrustPack];

export function addIdentity(program: Command, context: CommandContext): void {
  const identity = program.command('identity').description('import, inspect, renew and change identities');
  for (const add of verbs) add(identity, context);
}

function addList(identity: Command, context: CommandContext): void {
  withExamples(
    withStoreOptions(withJson(identity.command('list').description('list identities, with their state and days left'))),
    'countersign identity list',
    'countersign identity list --source directory:/etc/countersign --json',
  ).action(async (options) => (await import('../identity/list.ts')).listIdentities(options, context));
}

function addInspect(identity: Command, context: CommandContext): void {
  withExamples(
    withStoreOptions(
      withJson(
        identity.command('inspect <name>').description('print chain, dates, pins, destinations, renewal and rotation'),
      ),
    ).option('--stage <stage>', 'current, pending or previous', 'current'),
    'countersign identity inspect acme',
    'countersign identity inspect acme --stage pending --json',
  ).action(async (name, options) => (await import('../identity/inspect.ts')).inspectIdentity(name, options, context));
}

function addImport(identity: Command, context: CommandContext): void {
  const command = identity
    .command('import <name> <files...>')
    .summary('make an identity of keys and certificates in files')
    .description(
      'Makes an identity of the key and the certificates in the files (PEM, DER, PKCS#12, PKCS#7, PKCS#8, JKS; in any order, - is standard input), tests it by handshakes, and stores it.',
    );
  withKmsKey(
    withPassphrase(withIdentitySettings(withStoreOptions(withJson(command))))
      .option('--alias <name>', 'the entry of a keystore that has several private keys')
      .option('--dry-run', 'do everything except storing it')
      .option('--replace', 'store a new version if the identity exists; keep settings that are not given'),
  );
  withExamples(
    command,
    'countersign identity import acme bot.p12 --passphrase-file passphrase.txt --destination https://api.acme.example',
    'countersign identity import acme key.pem certificate.pem chain.pem --source directory:/etc/countersign --dry-run',
  ).action(async (name, files, options) =>
    (await import('../identity/import.ts')).importIdentity(name, files, options, context),
  );
}

function withPassphrase(command: Command): Command {
  return (
    command
      .option('--passphrase-file <file>', 'the first line is the passphrase of encrypted files (- is standard input)')
      .option('--passphrase-env <variable>', 'holds the passphrase; without either option a terminal asks')
      .addOption(new Option('--passphrase [value]').hideHelp())
      // Names of other programs. As unknown options their values would be printed.
      .addOption(new Option('--password [value]').hideHelp())
      .addOption(new Option('--pass [value]').hideHelp())
  );
}

const actions = ['list', 'add', 'remove', 'set'] as const;

function addDestinations(identity: Command, context: CommandContext): void {
  const command = identity
    .command('destinations <name>')
    .argument('[action]', 'list, add, remove or set', 'list')
    .argument('[places...]', 'https://host:port or host:port')
    .summary('list, add, remove or set the destinations of an identity')
    .description('Lists the destinations of an identity, or changes them with a new version of the identity.');
  withDestinationSettings(withStoreOptions(withJson(command)).optionsGroup('Settings of added destinations:'))
    .optionsGroup('Options:')
    .option('--file <file>', 'set: a JSON list instead of places (docs/destinations.md; - is standard input)')
    .option('--dry-run', 'print the new list, and store nothing');
  withExamples(
    command,
    'countersign identity destinations acme list',
    'countersign identity destinations acme add https://api.acme.example:8443 --require-mutual',
    'countersign identity destinations acme remove api.acme.example:8443',
    'countersign identity destinations acme set --file destinations.json',
  ).action(async (name: string, action: string, places: readonly string[], options) => {
    if (!(actions as readonly string[]).includes(action)) {
      throw usageError(`"${action}" is not an action. Write ${actions.join(', ')} before the places.`);
    }
    const useCase = await import('../identity/destinations.ts');
    if (action !== 'set' && options.file !== undefined) throw usageError('--file works only with set.');
    if (action === 'list') {
      if (places.length > 0) throw usageError('list takes no destinations.');
      return await useCase.listDestinations(name, options, context);
    }
    if (action === 'set') return await useCase.setDestinations(name, places, options, context);
    if (places.length === 0)
      throw usageError(`Name the destinations to ${action}: host, host:port or https://host:port.`);
    if (action === 'add') return await useCase.addDestinations(name, places, options, context);
    return await useCase.removeDestinations(name, places, options, context);
  });
}

function addTrustPack(identity: Command, context: CommandContext): void {
  withExamples(
    withStoreOptions(withJson(identity.command('trust-pack <name>')))
      .summary('write the folder that a customer needs to accept the identity')
      .description(
        "Writes a folder for a customer: the chain in PEM, DER and PKCS#7, fingerprints, pins and dates, the next certificate while a rotation is under way, and the configuration of the customer's server.",
      )
      .requiredOption('--out <folder>', 'a folder that does not exist yet, or is empty')
      .option('--host <place>', "the customer's host or host:port; default is the first single-host destination")
      .option('--files <folder>', "folder of the certificates on the customer's server", '/etc/ssl/api')
      .option('--behind <place>', "host:port of the backend of the customer's server", '127.0.0.1:8080'),
    'countersign identity trust-pack acme --out acme-trust-pack',
    'countersign identity trust-pack acme --host api.acme.example:8443 --out acme-trust-pack',
  ).action(async (name, options) =>
    (await import('../trust-pack/trust-pack.ts')).makeTrustPack(name, options, context),
  );
}

function addRenewal(identity: Command, context: CommandContext): void {
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
    withStoreOptions(withJson(identity.command('renew [names...]')))
      .summary('renew the identities of a directory that are due')
      .description(
        'Renews the identities of a directory that are due, or continues their renewals: has the certificate issued, tests it at the destinations, and puts it into use. Prints one line for each identity.',
      )
      .option('--all', 'all identities of the directory; those without a renewal are skipped')
      .option('--before <days>', 'also those that expire within this time, whatever their renewal says')
      .option('--dry-run', 'print what is due, and change nothing')
      .option('--restart', 'discard the key, the request and the certificate of a renewal under way, and begin again'),
    'countersign identity renew --all --source directory:/etc/countersign/identities',
    'countersign identity renew platform --before 3650 --source directory:/etc/countersign/identities',
  ).action(async (names, options) => (await import('../identity/renew.ts')).renewIdentities(names, options, context));

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
