// The files of the server: its certificate and key, the client CAs, and the callers. The last good ones stay in force.
import { createHash, type X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type Telemetry, writeLine } from '../../core/telemetry/telemetry.ts';
import { parseCertificate } from '../../core/x509/certificate.ts';
import { oids } from '../../core/x509/oids.ts';
import { isTrustedFor, readPem } from '../../core/x509/pem.ts';
import { isIssuedBy } from '../../core/x509/trust.ts';
import { type Callers, parseCallers } from '../auth/callers.ts';
import type { ServeOptions } from '../options.ts';
import { createFileReloader, type FileReloader } from './file-reloader.ts';

export interface ServerTrust {
  readonly context: SecureContextOptions;
  /** Changes with the client CAs: client certificates verified by other CAs are then no longer valid. */
  readonly clientCaDigest: string;
}

/**
 * The last good texts, for a worker that starts while the files are broken. They contain a private key: never write
 * them anywhere.
 */
export interface TlsFileTexts {
  readonly trust: readonly string[] | undefined;
  readonly callers: readonly string[] | undefined;
}

export interface TlsFiles {
  readonly trust: FileReloader<ServerTrust> | undefined;
  readonly callers: FileReloader<Callers> | undefined;
  texts(): TlsFileTexts;
  close(): void;
}

export interface TlsFilesParts {
  readonly lastGood?: TlsFileTexts | undefined;
  readonly onTrust?: (now: ServerTrust, before: ServerTrust) => void;
  /** Undefined in a process that does not serve: changes are not logged. */
  readonly telemetry: Telemetry | undefined;
}

/** Throws an Error with one sentence if a file cannot be used and there is no last good one. */
export async function openTlsFiles(
  { tls, callers: path }: Pick<ServeOptions, 'tls' | 'callers'>,
  { lastGood, onTrust, telemetry }: TlsFilesParts,
): Promise<TlsFiles> {
  const logReloaded = (paths: readonly string[]) => {
    if (telemetry)
      writeLine(telemetry, { level: 'INFO', message: 'files taken up', files: paths.map((one) => basename(one)) });
  };
  const onRejected = (detail: string) => {
    if (telemetry) writeLine(telemetry, { level: 'ERROR', message: 'files refused', detail });
  };
  const trust =
    tls &&
    (await createFileReloader({
      paths: trustPaths(tls),
      parse: parseTrust,
      lastGood: lastGood?.trust,
      onReloaded(now, before) {
        onTrust?.(now, before);
        logReloaded(trustPaths(tls));
      },
      onRejected,
    }));
  try {
    const callers =
      path === undefined
        ? undefined
        : await createFileReloader({
            paths: [path],
            parse: ([text = '']) => parseCallersFile(text, basename(path), tls?.clientCa !== undefined),
            lastGood: lastGood?.callers,
            onReloaded: () => logReloaded([path]),
            onRejected,
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

function parseCallersFile(text: string, file: string, hasClientCa: boolean): Callers {
  const callers = parseCallers(text, file);
  if (callers.needsClientCa && !hasClientCa) {
    throw new Error(`${file} names subjects of client certificates, which needs --client-ca.`);
  }
  return callers;
}

function trustPaths({ certificate, key, clientCa }: NonNullable<ServeOptions['tls']>): string[] {
  return clientCa === undefined ? [certificate, key] : [certificate, key, clientCa];
}

/**
 * @param texts server certificate, private key, and client CAs if there are any
 * Throws an Error with one sentence that quotes nothing of the files.
 */
export function parseTrust([certText = '', keyText = '', caText]: readonly string[]): ServerTrust {
  const cert = requirePem(certText, certificateLabel, '--tls-cert', 'certificate');
  const key = requirePem(keyText, privateKeyLabel, '--tls-key', 'private key');
  const ca = caText === undefined ? undefined : authoritiesIn(caText);
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) };
  try {
    createSecureContext(context);
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    const files = ca === undefined ? '--tls-cert and --tls-key' : '--tls-cert, --tls-key and --client-ca';
    throw new Error(`The files of ${files} cannot be used together (${code}).`);
  }
  const clientCaDigest = createHash('sha256')
    .update(ca ?? '')
    .digest('hex');
  return { context, clientCaDigest };
}

const certificateLabel = /^CERTIFICATE$/;
const privateKeyLabel = /^([A-Z]+ )?PRIVATE KEY$/;

/** The blocks with that label, as PEM that OpenSSL reads. */
function requirePem(text: string, label: RegExp, option: string, what: string): string {
  const blocks = readPem(text);
  const found = blocks.filter((block) => label.test(block.label)).map((block) => block.text);
  if (found.length > 0) return found.join('');
  const isSwapped = what === 'certificate' && blocks.some((block) => privateKeyLabel.test(block.label));
  const hint = isSwapped ? ', but a private key: use --tls-key for it' : '';
  throw new Error(`The file of ${option} contains no ${what} (PEM)${hint}.`);
}

/**
 * The certificates as PEM. OpenSSL accepts only a chain that ends in a root, and Node cannot change that for a server
 * whose files are reloaded. An intermediate without its root would therefore let no client in.
 */
function authoritiesIn(text: string): string {
  const authorities = certificatesIn(text);
  if (authorities.length === 0) throw new Error('--client-ca contains no certificate.');
  for (const one of authorities) {
    if (one.issuer === one.subject || authorities.some((other) => other !== one && isIssuedBy(one, other))) continue;
    throw new Error('--client-ca contains an intermediate without its issuer: add the issuers, up to the root.');
  }
  return authorities.join('');
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = readPem(pem).filter(({ label, hasEnd }) => hasEnd && label === 'CERTIFICATE');
  return blocks.map((block) => {
    if (!isTrustedFor(block, oids.clientAuth)) {
      throw new Error('--client-ca contains a TRUSTED CERTIFICATE that is not trusted for clients.');
    }
    const certificate = parseCertificate(block.text);
    if (certificate) return certificate;
    throw new Error('--client-ca contains a PEM block that is not a certificate.');
  });
}

/** A warning, not an error: the same as for a readable key of an identity. */
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
