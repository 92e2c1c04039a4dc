// `countersign serve`: serves the API on premises until it is stopped.
import type { Command } from 'commander';
import { type RawServeOptions, readServeOptions, type ServeOptions, serveFlags } from '../../serve/options.ts';
import type { CommandContext } from '../context.ts';
import { type ExitCode, exitCodes, refusal, usageError } from '../exit-code.ts';
import { withExamples } from './options.ts';

type Name = keyof typeof serveFlags;

/** Groups of the help. Together they have every option of serve/options.ts. */
const groups: Readonly<Record<string, readonly Name[]>> = {
  'Options:': ['identities', 'identityTtlSeconds', 'workers', 'console', 'docsUrl'],
  'Callers and address:': ['host', 'port', 'tlsCert', 'tlsKey', 'clientCa', 'callers'],
  'Limits:': ['maxCalls', 'maxConnections', 'maxBodyBytes', 'maxHeaderBytes', 'maxBufferedBytes'],
  'Times:': ['headerSeconds', 'requestSeconds', 'keepAliveSeconds', 'shutdownSeconds'],
};

export function addServe(program: Command, context: CommandContext): void {
  const command = program
    .command('serve')
    .summary('serve the API with identities from a folder, without a cloud')
    .description(
      'Serves the routes of the API with identities from a folder until SIGTERM or SIGINT. A second signal ends it at once. Logs one JSON object per line to standard output.\n\nExit code: 0 stopped by a signal, 1 could not start or failed, 2 the command line is wrong.',
    );
  for (const [heading, names] of Object.entries(groups)) {
    command.optionsGroup(heading);
    for (const name of names) {
      const { flags, means, default: otherwise } = serveFlags[name];
      // No Commander default: serve/options.ts sets it.
      command.option(flags, otherwise === undefined ? means : `${means} (${otherwise})`);
    }
  }
  command.optionsGroup('Options:');
  withExamples(
    command,
    'countersign serve --identities /etc/countersign/identities',
    'countersign serve --identities identities --host 0.0.0.0 --port 8443 --tls-cert server.pem --tls-key server.key --callers callers.json',
  );
  command.action(async (options: RawServeOptions) => {
    const wanted = checked(options);
    const { serveUntilStopped } = await import('../../serve/serve.ts');
    // The same value as in the stack, also for workers: half of these threads resolve names. libuv reads it at first
    // use.
    context.environment.UV_THREADPOOL_SIZE ??= '64';
    // A closed stdout is a failure of a server, because its log is lost.
    process.stdout.removeAllListeners('error').on('error', () => process.exit(exitCodes.refused));
    try {
      context.end((await serveUntilStopped(wanted)) as ExitCode);
    } catch (thrown) {
      throw refusal('not-served', sentenceOf(thrown));
    }
  });
}

function checked(options: RawServeOptions): ServeOptions {
  try {
    return readServeOptions(options);
  } catch (thrown) {
    throw usageError(sentenceOf(thrown));
  }
}

/** serve/ throws plain errors with one sentence. Any other error is a defect and is rethrown. */
function sentenceOf(thrown: unknown): string {
  if (thrown instanceof Error && thrown.constructor === Error) return thrown.message;
  throw thrown;
}
