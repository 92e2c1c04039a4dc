// README.md of a trust pack: what to trust, until when, and how to verify it.
import type { CertificateView } from '../identity/identity-view.ts';
import type { SubjectForms } from './configurations.ts';

export interface Pack {
  readonly identity: string;
  readonly certificates: readonly CertificateView[];
  /** The next certificates while a rotation is under way; otherwise empty. */
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
    `# Accept the identity \`${identity}\``,
    '',
    `A bot platform calls your API at https://${host}:${port} and presents a client certificate. This folder has everything that your server needs to accept it. It contains no secrets.`,
    `Made on ${madeAt.slice(0, 10)}.`,
    '',
    '## What to do',
    '',
    '1. Ask the operator of the platform for the SHA-256 fingerprint of the root over a second channel, for example by telephone, at a number that did not come with this folder. Compare it with the output of the command. The fingerprint on this page proves nothing: a forged root would come with a forged page.',
    '',
    '   ```sh',
    '   openssl x509 -in platform-root.pem -noout -subject -enddate -fingerprint -sha256',
    '   ```',
    `2. Put \`platform-root.pem\` at \`${folder}/platform-root.pem\` of your server, and configure it as the only root for client certificates.`,
    '3. Use the configuration of your server in `servers/`. `for-your-server.md` explains each one, and what to check when it fails.',
    '4. If that root also signs other certificates, as the authority of a company does, all their holders are accepted too. Then remove the comment sign from the line that compares the subject.',
    '5. Tell the operator of the platform, who then tests your server and sees which step fails.',
    '',
    '## The subject to accept',
    '',
    'It stays the same when the certificate is replaced. Each server writes it in its own form and compares it exactly:',
    '',
    '| server | subject |',
    '| --- | --- |',
    ...written(subject).map(([server, form]) => `| ${server} | ${form === undefined ? elsewhere : code(form)} |`),
    '',
    'stunnel and the clouds in `for-your-server.md` compare no subject, or use their own rules.',
    '',
    '## When something is wrong',
    '',
    '- **A call fails**: see "When it fails" in `for-your-server.md`.',
    `- **The key of the platform may be stolen**: call the sender of this folder, and reject the serial number that they name (\`for-your-server.md\` has the lines). Its subject and its root stay valid. The platform is rejected too until it has its new certificate.`,
    '',
    '## The certificates',
    '',
    ...certificates.flatMap(certificateText),
    ...(next.length > 0
      ? [
          '## The next certificate',
          '',
          `A rotation is under way: this certificate will replace the client certificate. ${isOtherRoot ? 'Its root is **another one**: trust `next/platform-root.pem` **beside** `platform-root.pem` from now on, after you have compared its fingerprint.' : 'Servers that trust the root need no change.'} Servers that pin the client certificate or its key add this one **beside** the current one. Its files are in \`next/\`.`,
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
  'contains characters that each server writes in its own form: copy it from the log, or from `X-Client-Subject` of the first call';

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
 * A name as code in a table. The name is remote text: characters that would end the code or the cell are escaped as in
 * RFC 4514, section 2.4. Control characters are escaped already.
 */
function code(name: string): string {
  return `\`${name.replace(/[`|]/g, (character) => `\\${character.charCodeAt(0).toString(16).toUpperCase()}`)}\``;
}

function rootOf(certificates: readonly CertificateView[]): CertificateView | undefined {
  return certificates.find(({ role }) => role === 'root');
}
