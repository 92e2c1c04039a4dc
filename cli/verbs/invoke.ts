// `countersign invoke URL`: calls a customer's API with an identity, with options like curl's.
import { type Command, InvalidArgumentError } from 'commander';
import { errorTable } from '../../core/errors.ts';
import { escapeForTerminal, escapeStringsForTerminal } from '../../core/escape-for-terminal.ts';
import type { InvocationResult } from '../../core/invocation/answer.ts';
import { limits, platformIdentity } from '../../core/settings.ts';
import { type Problem, reportProblem } from '../api/api.ts';
import { type ApiOptions, identityOption, openApi, toUrl, withApiOptions } from '../api/open-api.ts';
import type { CommandContext } from '../context.ts';
import { type ExitCode, exitCodes, usageError } from '../exit-code.ts';
import type { DataPart } from '../invoke/request.ts';
import { quoted, withProgress } from '../output.ts';
import { collect, withExamples, withJson } from './options.ts';

interface InvokeOptions extends ApiOptions {
  readonly identity?: string;
  readonly request?: string;
  readonly head?: boolean;
  readonly header?: readonly string[];
  readonly maxTime?: number;
  readonly requireMutual?: boolean;
  readonly output?: string;
  readonly include?: boolean;
  readonly fail?: boolean;
  readonly failWithBody?: boolean;
  readonly silent?: boolean;
  readonly verbose?: boolean;
}

export function addInvoke(program: Command, context: CommandContext): void {
  /** All -d options, in the order of the command line. */
  const data: DataPart[] = [];
  const part = (kind: DataPart['kind']) => (value: string) => {
    data.push({ kind, value });
    return value;
  };
  const command = program
    .command('invoke')
    .summary("call a customer's API with an identity")
    .description(
      "Calls a customer's API with an identity and writes its response to standard output, as curl does. Redirects are not followed.\n\nExit code: 0 the API responded, 1 the call was refused, 2 the command line is wrong, 3 no answer (a retry can help), 22 a status of 400 or more with --fail.",
    )
    .argument('<url>', 'https URL, sent as written')
    // Commander would print excess arguments, which can be the second half of an unquoted header.
    .allowExcessArguments()
    .option('--identity <name>', `the identity to present (${platformIdentity})`)
    .option('--require-mutual', 'send no request to a server that does not request a client certificate')
    .option(
      '-m, --max-time <seconds>',
      `for the whole call, at most ${limits.maxTimeoutMs / 1000} (${limits.defaultTimeoutMs / 1000})`,
      readSeconds,
    )
    .optionsGroup('The request:')
    .option('-X, --request <method>', 'in upper case (GET; POST with a body)')
    .option('-I, --head', 'use the method HEAD, and -i')
    .option(
      '-H, --header <line>',
      '"Name: value", "Name;" for an empty value, @file for a file of lines; repeatable',
      collect,
    )
    .option(
      '-d, --data <data>',
      'the body; @file without line breaks, @- is standard input; several are joined by &',
      part('data'),
    )
    .option('--data-binary <data>', 'the same, @file unchanged', part('binary'))
    .option('--data-raw <data>', 'the same, @ has no meaning', part('raw'))
    .optionsGroup('The response:')
    .option('-o, --output <file>', 'write the body to this file; - is standard output, even a terminal')
    .option('-i, --include', 'print status and headers before the body')
    .option('-f, --fail', 'for a status of 400 or more: no body, exit code 22')
    .option('--fail-with-body', 'the same, with the body')
    .option('-s, --silent', 'print no advice and no progress on standard error')
    .option('-S, --show-error', 'no effect: errors are always printed')
    .option('-v, --verbose', 'print handshake and timings on standard error')
    .optionsGroup('Options:');
  withJson(command);
  withApiOptions(command);
  withExamples(
    command,
    'countersign invoke https://api.acme.example/v1/accounts',
    "countersign invoke https://api.acme.example/v1/payments -H 'content-type: application/json' -d '{\"amount\":12.50}'",
    'countersign invoke https://api.acme.example/v1/statement.pdf -H @headers.txt -o statement.pdf',
  );
  command.action((url: string, options: InvokeOptions & { readonly json?: boolean }) => {
    if (command.args.length > 1) throw usageError('Give one URL. Put arguments with spaces in quotes.');
    if (options.json && (options.output !== undefined || options.include || options.head)) {
      throw usageError('--json prints the whole response. Use it without -o, -i and -I.');
    }
    return invoke(url, options, data, context);
  });
}

async function invoke(
  text: string,
  options: InvokeOptions,
  data: readonly DataPart[],
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const identity = identityOption(options.identity);
  const [{ requestBody, bodyField, requestHeaders }, { requireWritable, writeAnswer }] = await Promise.all([
    import('../invoke/request.ts'),
    import('../invoke/answer-output.ts'),
  ]);
  if (options.head && data.length > 0) throw usageError('-I requests only the head. Use it without a body.');
  await requireWritable(options.output);
  const { source, prefix, endpoint, region, api: apiUrl, tokenFile, cert, key, cacert } = options;
  const api = await openApi(
    { source, prefix, endpoint, region, api: apiUrl, tokenFile, cert, key, cacert } as ApiOptions,
    context,
  );
  const body = await requestBody(data, context.readInput);
  // curl(1), --data: the content type of a form, unless a header sets another.
  const defaults = body ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
  const headers = await requestHeaders(options.header ?? [], defaults);
  const method = options.request ?? (options.head ? 'HEAD' : body ? 'POST' : 'GET');
  const url = toUrl(text);
  const question = {
    url,
    method,
    ...(headers && { headers }),
    ...(body && bodyField(body)),
    ...(options.maxTime === undefined ? {} : { timeoutMs: options.maxTime }),
    ...(options.requireMutual ? { requireMutual: true } : {}),
  };
  const asked = api.invoke(identity, question);
  const result = await (options.silent ? asked : withProgress(context, `Waiting for ${url} …`, asked));
  api.close();
  if ('problem' in result) {
    reportProblem(result.problem, context);
    if (result.problem.diagnosis && !context.isJson) output.progress(diagnoseCommand(url, identity, options));
    context.end(exitCodeFor(result.problem));
    return;
  }
  const { answer } = result;
  if (options.verbose)
    for (const line of handshakeLines(`${method} ${url} as ${identity}`, answer)) output.progress(line);
  if (answer.advice !== undefined && !options.silent) output.warn(escapeForTerminal(answer.advice));
  const isFailed = answer.status >= 400 && (options.fail === true || options.failWithBody === true);
  const withHead = options.include === true || options.head === true;
  const withBody = options.head !== true && (!isFailed || options.failWithBody === true);
  if (context.isJson) output.answer(answer, () => []);
  else if (withHead || withBody) await writeAnswer(answer, { file: options.output, withHead, withBody }, context);
  if (!isFailed) return;
  if (!context.isJson) output.fail({ code: 'http-error', detail: `The API responded with HTTP ${answer.status}.` });
  context.end(exitCodes.httpError);
}

/** The line to type. The origin of the URL alone: its path and query can be secret. */
function diagnoseCommand(url: string, identity: string, { source, api }: InvokeOptions): string {
  const options = Object.entries({ identity: identity === platformIdentity ? undefined : identity, source, api });
  const given = options.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${quoted(value)}`]));
  return ['countersign diagnose', quoted(new URL(url).origin), ...given].join(' ');
}

/** 3 if the same call can succeed later, or if the store could not be read, as for the other verbs. */
function exitCodeFor({ code, retryable }: Problem): ExitCode {
  if (code === 'identity-unavailable') return exitCodes.unavailable;
  if (code === 'invalid-request') return exitCodes.usage;
  if (code === 'internal-error') return exitCodes.defect;
  return (retryable ?? (code in errorTable && errorTable[code as keyof typeof errorTable].retryable))
    ? exitCodes.unavailable
    : exitCodes.refused;
}

/** Of an answer without a client certificate. */
const askedWords: Readonly<Record<string, string>> = {
  true: 'accepts no signature algorithm of its key',
  false: 'did not ask for one',
  unknown: 'did not ask for one, or accepts no signature algorithm of its key',
};

/** The request is not printed, because headers contain tokens. */
function handshakeLines(title: string, answer: InvocationResult): string[] {
  const { handshake, timings, status } = escapeStringsForTerminal(answer);
  const { protocol, cipher, connection, server, clientCertificateRequested: requested, client } = handshake;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return [
    escapeForTerminal(title),
    `${protocol}, ${cipher}, ${connection} connection`,
    `server ${server.subject}, issued by ${server.issuer}, valid to ${server.validTo}`,
    client
      ? `client SHA-256 ${client.fingerprint256}, ${client.stage}, version ${client.version}, valid to ${client.validTo}`
      : `no client certificate was presented; the server ${askedWords[String(requested)] ?? askedWords.unknown}`,
    `name ${ms(timings.dnsMs)}, TCP ${ms(timings.connectMs)}, TLS ${ms(timings.tlsMs)}, first byte ${ms(timings.firstByteMs)}, ${ms(timings.totalMs)} in all`,
    `HTTP ${status}`,
  ];
}

function readSeconds(value: string): number {
  const ms = Math.round(Number(value) * 1000);
  if (!/^\d+(\.\d+)?$/.test(value) || ms < 1 || ms > limits.maxTimeoutMs) {
    throw new InvalidArgumentError(`It must be a number of seconds from 0.001 to ${limits.maxTimeoutMs / 1000}.`);
  }
  return ms;
}
