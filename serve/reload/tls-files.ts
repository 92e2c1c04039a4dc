// The server's own files: its certificate and key, the authorities of its callers, and the callers; the last sound ones stay in force.
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';
import { type Callers, parseCallers } from '../auth/callers.ts';
import { makeTrust, type ServerTrust, trustPaths } from '../auth/trusted-authorities.ts';
import type { ServeOptions } from '../options.ts';
import { type KeptFiles, keepFiles } from './file-reloader.ts';

/** The last sound texts, for a process that is started when the files are not; never written anywhere, for there is a key in them. */
export interface OwnTexts {
  readonly trust: readonly string[] | undefined;
  readonly callers: readonly string[] | undefined;
}

export interface OwnFiles {
  readonly trust: KeptFiles<ServerTrust> | undefined;
  readonly callers: KeptFiles<Callers> | undefined;
  texts(): OwnTexts;
  close(): void;
}

export interface OwnFilesParts {
  readonly lastSound?: OwnTexts | undefined;
  readonly onTrust?: (now: ServerTrust, before: ServerTrust) => void;
  /** Undefined: changes leave no line, for a process that does not serve. */
  readonly telemetry: Telemetry | undefined;
}

/** Throws an Error with one sentence when there is nothing sound. */
export async function keepOwnFiles(
  { tls, callers: path }: Pick<ServeOptions, 'tls' | 'callers'>,
  { lastSound, onTrust, telemetry }: OwnFilesParts,
): Promise<OwnFiles> {
  const taken = (paths: readonly string[]) => {
    if (telemetry)
      writeLine(telemetry, { level: 'INFO', message: 'files taken up', files: paths.map((one) => basename(one)) });
  };
  const onRefused = (detail: string) => {
    if (telemetry) writeLine(telemetry, { level: 'ERROR', message: 'files refused', detail });
  };
  const trust =
    tls &&
    (await keepFiles({
      paths: trustPaths(tls),
      make: makeTrust,
      lastSound: lastSound?.trust,
      onTaken(now, before) {
        onTrust?.(now, before);
        taken(trustPaths(tls));
      },
      onRefused,
    }));
  try {
    const callers =
      path === undefined
        ? undefined
        : await keepFiles({
            paths: [path],
            make: ([text = '']) => makeCallers(text, basename(path), tls?.clientCa !== undefined),
            lastSound: lastSound?.callers,
            onTaken: () => taken([path]),
            onRefused,
          });
    return {
      trust,
      callers,
      texts: () => ({ trust: trust?.texts, callers: callers?.texts }),
      close() {
        trust?.close();
        callers?.close();
      },
    };
  } catch (thrown) {
    trust?.close();
    throw thrown;
  }
}

function makeCallers(text: string, file: string, hasClientCa: boolean): Callers {
  const callers = parseCallers(text, file);
  if (callers.needsClientCa && !hasClientCa) {
    throw new Error(`${file} names subjects of client certificates, which needs --client-ca.`);
  }
  return callers;
}

/** Said and not refused, as of the keys of identities. */
export async function warnOfReadableKey({ tls }: Pick<ServeOptions, 'tls'>): Promise<void> {
  if (tls === undefined || process.platform === 'win32') return;
  const mode = await stat(tls.key).then(
    (stats) => stats.mode,
    () => 0,
  );
  if ((mode & 0o004) === 0) return;
  process.emitWarning('Every user of the machine can read the private key of --tls-key.', {
    code: 'COUNTERSIGN_KEY_READABLE',
    detail: 'Give the file mode 0600, or the volume a defaultMode of 0400.',
  });
}
