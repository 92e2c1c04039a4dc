// The command line of `npm run diagnose`.
import { parseArgs } from 'node:util';
import { identityNamePattern, platformIdentity } from '../functions/config.ts';

export interface DiagnoseOptions {
  readonly url: string;
  readonly identity: string;
  readonly isJson: boolean;
  /** A path; `none` sends nothing after the handshake. */
  readonly probe: string | undefined;
  readonly timeoutMs: number | undefined;
  /** `secrets-manager` or `directory:<path>`. */
  readonly source: string | undefined;
  /** Of a gateway. */
  readonly api: string | undefined;
}

export const diagnoseHelp = `Usage: npm run diagnose -- <url> [options]

Makes one mutual-TLS connection and says which of the five steps fails, why, and who must do what.

  --identity <name>   the identity to present (platform)
  --probe <path>      what is asked for with GET after the handshake (the destination's probe, else /)
  --probe none        send nothing after the handshake
  --timeout <ms>      1 to 28000 (10000)
  --json              the report as JSON
  --source <source>   where identities are: secrets-manager, or directory:<path> ($COUNTERSIGN_IDENTITY_SOURCE)
  --api <url>         ask the API there; without it and without a source: the local cloud on http://127.0.0.1:8080
  --help

Exit code: 0 access is granted, 1 it is not, 2 the command line is wrong.`;

/** Undefined when help is wanted. Throws an Error whose message is a sentence. */
export function readDiagnoseOptions(args: readonly string[]): DiagnoseOptions | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [url, ...more] = positionals;
  if (url === undefined || more.length > 0) throw new Error('Give one URL: npm run diagnose -- https://host:port');
  const identity = values.identity ?? platformIdentity;
  if (!identityNamePattern.test(identity)) throw new Error('--identity must be the name of an identity.');
  if (values.source !== undefined && !/^(secrets-manager|directory:.+)$/s.test(values.source)) {
    throw new Error('--source must be secrets-manager, or directory: and a path.');
  }
  if (values.source !== undefined && values.api !== undefined) throw new Error('Give --source or --api, not both.');
  if (values.probe !== undefined && values.probe !== 'none' && !values.probe.startsWith('/')) {
    throw new Error('--probe must be a path that begins with "/", or none.');
  }
  const timeoutMs = values.timeout === undefined ? undefined : Number(values.timeout);
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 28_000)) {
    throw new Error('--timeout must be a whole number of milliseconds from 1 to 28000.');
  }
  if (values.api !== undefined && !/^https?:$/.test(URL.parse(values.api)?.protocol ?? '')) {
    throw new Error('--api must be an http or https URL.');
  }
  return {
    // A host is what people have at hand; anything with a scheme of its own is left for the guard to judge.
    url: /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `https://${url}`,
    identity,
    isJson: values.json ?? false,
    probe: values.probe,
    timeoutMs,
    source: values.source,
    api: values.api,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        identity: { type: 'string' },
        probe: { type: 'string' },
        timeout: { type: 'string' },
        json: { type: 'boolean' },
        source: { type: 'string' },
        api: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    const [sentence = ''] = (cause as Error).message.split('. ');
    throw new Error(`${sentence.replace(/\.?$/, '.')} --help lists the options.`, { cause });
  }
}
