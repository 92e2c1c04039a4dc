// The page that comes first in a trust pack: what to trust, until when, and how to tell that it is genuine.
import type { CertificateView } from '../identity/identity-view.ts';
import type { SubjectForms } from './configurations.ts';

export interface Pack {
  readonly identity: string;
  readonly certificates: readonly CertificateView[];
  /** Of the rotation that is under way; empty where there is none. */
  readonly next: readonly CertificateView[];
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly subject: SubjectForms;
  /** ISO 8601. */
  readonly madeAt: string;
  /** Names of all files, sorted. */
  readonly files: readonly string[];
}

const meanings: Readonly<Record<string, string>> = {
  'platform-root.pem': 'the root: **what your server trusts**, and nothing else',
  'platform-root.cer': 'the same in DER, for Windows and Java',
  'platform-intermediates.pem':
    'the authorities below it; they come with the client certificate, only some clouds want them',
  'client.pem': 'the client certificate as it is now; it is replaced regularly',
  'client.cer': 'the same in DER',
  'chain.pem': 'all of them in PEM: client certificate, intermediates, root',
  'chain.p7b': 'all of them in PKCS#7',
};

export function readMe(pack: Pack): string {
  const { identity, certificates, next, host, port, folder, subject, madeAt, files } = pack;
  const root = rootOf(certificates);
  const isOtherRoot = next.length > 0 && rootOf(next)?.fingerprint256 !== root?.fingerprint256;
  return `${[
    `# Let the identity \`${identity}\` in`,
    '',
    `A bot platform calls your API at https://${host}:${port} and shows a client certificate. This folder has all that your server needs to accept it. Nothing in it is secret.`,
    `Made on ${madeAt.slice(0, 10)}.`,
    '',
    '## What to do',
    '',
    '1. Ask whoever runs the platform for the SHA-256 fingerprint of the root over a second channel, by telephone say, at a number that did not come with this folder. Compare it with what the command prints. The one on this page proves nothing: who forges the root forges the page.',
    '',
    '   ```sh',
    '   openssl x509 -in platform-root.pem -noout -subject -enddate -fingerprint -sha256',
    '   ```',
    `2. Put \`platform-root.pem\` at \`${folder}/platform-root.pem\` of your server, and let it trust that for clients, and nothing else.`,
    '3. Take the configuration of your server out of `servers/`. `for-your-server.md` has what there is to know of each, and what to look at when it fails.',
    '4. Does that root sign certificates for others too, as the authority of a company does for its laptops and services? All of those are let in with the platform then. Take the comment sign from the line that compares the subject.',
    '5. Tell the platform that it is done: it tries your server and sees which step is missing.',
    '',
    '## The subject to let in',
    '',
    'It stays the same when the certificate is replaced. Each server writes it in its own way, and compares to the letter:',
    '',
    '| server | subject |',
    '| --- | --- |',
    ...written(subject).map(([server, form]) => `| ${server} | ${form === undefined ? elsewhere : code(form)} |`),
    '',
    'stunnel and the clouds of `for-your-server.md` compare none, or by rules of their own.',
    '',
    '## When something is wrong',
    '',
    '- **A call does not get through**: `for-your-server.md`, "When it fails".',
    `- **The key of the platform was stolen**, or you think so: call whoever sent you this folder, and refuse the serial number that they name (\`for-your-server.md\` has the lines): its subject and its root stay right. It keeps the platform out, too, until that has its new certificate.`,
    '',
    '## The certificates',
    '',
    ...certificates.flatMap(certificateText),
    ...(next.length > 0
      ? [
          '## The next certificate',
          '',
          `A rotation is under way: this one takes the place of the client certificate. ${isOtherRoot ? 'Its root is **another one**: trust `next/platform-root.pem` **beside** `platform-root.pem` from now on, after you have compared its fingerprint.' : 'Whoever trusts the root has nothing to do.'} Whoever pins the client certificate or its key adds this one **beside** the current one. Its files are in \`next/\`.`,
          '',
          ...next.filter(({ role }) => role === 'client' || isOtherRoot).flatMap(certificateText),
        ]
      : []),
    '## The files',
    '',
    '| file | what |',
    '| --- | --- |',
    ...files.flatMap((file) => {
      const meaning =
        meanings[file] ?? (/^platform-intermediate-\d+\.cer$/.test(file) ? 'one of them in DER' : undefined);
      return meaning === undefined ? [] : [`| \`${file}\` | ${meaning} |`];
    }),
    '| `servers/` | a configuration for each of the usual servers |',
    '| `for-your-server.md` | the same with explanations |',
    ...(next.length > 0 ? ['| `next/` | the next certificate, in the same forms |'] : []),
  ].join('\n')}\n`;
}

function certificateText({
  role,
  subject,
  issuer,
  validFrom,
  validTo,
  fingerprint256,
  pin,
  key,
  serialNumber,
}: CertificateView): readonly string[] {
  return [
    `### ${role === 'client' ? 'Client certificate' : role === 'root' ? 'Root' : 'Intermediate'}`,
    '',
    `| | |`,
    `| --- | --- |`,
    `| subject | ${code(subject)} |`,
    `| issuer | ${code(issuer)} |`,
    `| valid | ${validFrom} to **${validTo}** |`,
    `| SHA-256 | \`${fingerprint256}\` |`,
    `| pin of the key | \`${pin}\` |`,
    `| serial number | \`${serialNumber}\` |`,
    `| key | ${key} |`,
    '',
  ];
}

const elsewhere =
  'has characters that each server writes in its own way: take it from the log, or from `X-Client-Subject` of the first call';

function written({
  rfc2253,
  slashes,
  go,
  lines,
  commonName,
}: SubjectForms): readonly (readonly [string, string | undefined])[] {
  return [
    ['nginx, Apache httpd, Java, Tomcat (RFC 2253)', rfc2253],
    ['HAProxy', slashes],
    ['Caddy, Go', go],
    ['Node, `\\n` being a line break', lines],
    ['lighttpd, the common name alone', commonName],
  ];
}

/**
 * A name as code in a table. Whoever ordered the certificate chose it: what would end the code or the cell is written as
 * RFC 4514, section 2.4 writes any octet, and what steers a terminal is written so already.
 */
function code(name: string): string {
  return `\`${name.replace(/[`|]/g, (character) => `\\${character.charCodeAt(0).toString(16).toUpperCase()}`)}\``;
}

function rootOf(certificates: readonly CertificateView[]): CertificateView | undefined {
  return certificates.find(({ role }) => role === 'root');
}
