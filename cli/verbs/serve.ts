// `countersign serve`: the routes of the API from one installation of one's own, until it is stopped.
import type { Command } from 'commander';
import { type RawServeOptions, readServeOptions, type ServeOptions, serveFlags } from '../../serve/options.ts';
import type { CommandContext } from '../context.ts';
import { type ExitCode, exitCodes, refusal, usageError } from '../exit-code.ts';
import { withExamples } from './options.ts';

type Name = keyof typeof serveFlags;

/** Every option of serve/options.ts stands in one of them. */
const groups: Readonly<Record<string, readonly Name[]>> = {
  'Options:': ['identities', 'identityTtlSeconds', 'workers', 'console', 'docsUrl'],
  'Who may call, and where:': ['host', 'port', 'tlsCert', 'tlsKey', 'clientCa', 'callers'],
  'Limits:': ['maxCalls', 'maxConnections', 'maxBodyBytes', 'maxHeaderBytes', 'maxBufferedBytes'],
  'Times:': ['headerSeconds', 'requestSeconds', 'keepAliveSeconds', 'shutdownSeconds'],
};

export function addServe(program: Command, context: CommandContext): void {
  const command = program
    .command('serve')
    .summary('serve the API from identities in a folder, without a cloud')
    .description(
      'Serves the routes of the API with identities from a folder until SIGTERM or SIGINT stops it; a second one ends it at once. One JSON object a line on standard output.\n\nExit code: 0 it was stopped, 1 it could not start or failed, 2 the command line is wrong.',
    );
  for (const [heading, names] of Object.entries(groups)) {
    command.optionsGroup(heading);
    for (const name of names) {
      const { flags, means, default: otherwise } = serveFlags[name];
      // Not commander's own default: serve/options.ts has the one place of it.
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
    // As the stack sets it, for workers too: look-ups of names get half of these threads. libuv reads it when it first uses one.
    context.environment.UV_THREADPOOL_SIZE ??= '64';
    // Lines that nobody takes any more are a failure here, not a reader who has seen enough.
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

/** server/ throws errors whose message is one sentence; what has a code or a name of its own is a defect and goes on as it is. */
function sentenceOf(thrown: unknown): string {
  if (thrown instanceof Error && thrown.constructor === Error) return thrown.message;
  throw thrown;
}
