// `evidence.reason` in docs/errors.md and docs/diagnosis.md: those of the code, and each occurs.
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { suspectReasons } from '../../../core/diagnosis/client-certificate.ts';
import type { Finding } from '../../../core/diagnosis/diagnosis.ts';
import { negotiationReasons } from '../../../core/tls/negotiation-failure.ts';
import { type CertificateReason, certificateReasons } from '../../../core/tls/verification-failure.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { extensions, type FaultyChain, faultyServer, twoLeaves } from '../../support/diagnosis/faulty-server.ts';
import { der, extension } from '../../support/diagnosis/hostile-certificate.ts';
import { serveBetween, serveHttps, serveTcp } from '../../support/servers.ts';

const trial = useDiagnosing();

async function foundAt(port: number, destination: object = {}): Promise<Finding[]> {
  return findings(await trial.diagnose(port, { destination })).filter(({ severity }) => severity === 'failure');
}

async function ofServer(shown: IssuedCertificate, options: object = {}): Promise<Finding[]> {
  const { port } = await serveHttps(shown, (socket) => socket.end(), options);
  return foundAt(port, { serverRoots: shown.root });
}

const ofChain = (chain: FaultyChain) => ofServer(faultyServer(chain));

/** IPAddressFamily of IPv4 with the prefix 10.0.0.0/8 (RFC 3779, section 2.2.3). */
const addresses = (...families: readonly number[]) =>
  extension(
    '2b06010505070107',
    der(
      0x30,
      ...families.map((family) => der(0x30, der(4, Buffer.of(0, family)), der(0x30, der(3, Buffer.of(0, 10))))),
    ),
    true,
  );

const certificate: Readonly<
  Record<Exclude<CertificateReason, 'chain-unclear' | 'certificate-changed'>, () => Promise<Finding[]>>
> = {
  'extended-key-usage': () => ofChain({ leaf: { extensions: [extensions.extendedKeyUsage('client')] } }),
  'issuer-not-authority': () => ofChain({ issuer: { isAuthority: false } }),
  'issuer-key-usage': () => ofChain({ issuer: { extensions: [extensions.keyUsage('02')] } }),
  'path-too-long': () => ofChain({ root: { isAuthority: false, extensions: [extensions.pathLength(0)] } }),
  'critical-extension': () => ofChain({ leaf: { extensions: [extensions.unknown()] } }),
  'name-constraints': () => ofChain({ issuer: { extensions: [extensions.excludes('localhost')] } }),
  'weak-key': () => ofServer(trial.serverWith({ keyAlgorithm: 'RSA_1024' }), { ciphers: 'DEFAULT:@SECLEVEL=0' }),
  'weak-signature': () =>
    ofServer(trial.serverWith({ keyAlgorithm: 'RSA_2048', signatureHash: 'sha1' }), {
      ciphers: 'DEFAULT:@SECLEVEL=0',
    }),
  async 'key-usage'() {
    const { server, shown, other } = twoLeaves(
      { extensions: [extensions.keyUsage('80')] },
      { extensions: [extensions.keyUsage('20')] },
    );
    const behind = await serveHttps(server, (socket) => socket.end(), { maxVersion: 'TLSv1.2' });
    const { port } = await serveBetween(behind.port, (bytes) => {
      const at = bytes.indexOf(shown);
      if (at >= 0) other.copy(bytes, at);
      return bytes;
    });
    return foundAt(port, { serverRoots: server.root });
  },
  'signature-mismatch': () => {
    const shown = faultyServer({});
    return ofServer({ ...shown, root: faultyServer({}).intermediates + shown.root, intermediates: '' });
  },
  async 'certificate-type'() {
    // ServerHello of TLS 1.2 with RFC 5746, ECDHE-ECDSA-AES128-GCM-SHA256, and a certificate with an RSA key.
    const { certificate: pem } = trial.serverWith({ keyAlgorithm: 'RSA_2048' });
    const leaf = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const sized = (bytes: Buffer) => Buffer.concat([Buffer.of(0, bytes.length >> 8, bytes.length & 255), bytes]);
    const message = (type: number, content: Buffer) => Buffer.concat([Buffer.of(type), sized(content)]);
    const record = (content: Buffer) =>
      Buffer.concat([Buffer.of(22, 3, 3, content.length >> 8, content.length & 255), content]);
    const hello = [Buffer.of(3, 3), Buffer.alloc(32, 7), Buffer.of(0, 0xc0, 0x2b, 0, 0, 5, 0xff, 1, 0, 1, 0)];
    const flight = Buffer.concat([message(2, Buffer.concat(hello)), message(11, sized(sized(leaf)))]);
    const { port } = await serveTcp((socket) => socket.once('data', () => socket.write(record(flight))));
    return foundAt(port, { maxTlsVersion: 'TLSv1.2' });
  },
  malformed: () => {
    const sound = { extensions: [addresses(1, 2)] };
    return ofChain({ root: sound, issuer: sound, leaf: { extensions: [addresses(2, 1)] } });
  },
  unreadable: () => ofChain({ leaf: { notAfter: '49XX31235959Z' } }),
  other: () => ofChain({ leaf: { extensions: [addresses(1)] } }),
};

describe('server-certificate-invalid', () => {
  it.each(Object.entries(certificate))('occurs with the reason %s', async (reason, made) => {
    const [first, ...others] = await made();
    expect(first).toMatchObject({ code: 'server-certificate-invalid', evidence: { reason } });
    expect(others).toEqual([]);
  });
});

/** The rows of the table of reasons in a section of docs/errors.md. */
function rowsOf(code: string): string[] {
  const section = page('errors').split(`\n## ${code}\n`)[1]?.split('\n## ')[0] ?? '';
  return quotedIn([...section.matchAll(/^\| (`[^|]+) \|/gm)].map(([, names]) => names).join());
}

function page(name: string): string {
  return readFileSync(`docs/${name}.md`, 'utf8');
}

function quotedIn(text: string): string[] {
  return [...text.matchAll(/`([a-z][a-z0-9-]+)`/g)].map(([, name]) => name as string).sort();
}

const suspects = quotedIn(
  /^\| `client-certificate-suspect` .*? says what: (.*) \|$/m.exec(page('diagnosis'))?.[1] ?? '',
);

it.each([
  ['server-certificate-invalid', rowsOf('server-certificate-invalid'), certificateReasons],
  ['tls-negotiation-failed', rowsOf('tls-negotiation-failed'), negotiationReasons],
  ['client-certificate-suspect', suspects, suspectReasons],
])('the documented reasons of %s are those of the code', (_code, documented, reasons) => {
  expect(documented).toEqual([...reasons].sort());
});

const tests = ['diagnosis', 'failures', 'connections'].flatMap((folder) =>
  readdirSync(`test/scenarios/${folder}`)
    .filter((name) => name !== basename(import.meta.filename) && name !== 'each-finding-has-a-remedy.test.ts')
    .map((name) => readFileSync(`test/scenarios/${folder}/${name}`, 'utf8')),
);

it.each([
  ...negotiationReasons,
  ...suspectReasons,
  'chain-unclear',
  'certificate-changed',
  'no-server-name',
  'sha1-only',
])('the reason %s is expected by another test', (reason) => {
  expect(tests.some((text) => text.includes(`'${reason}'`))).toBe(true);
});
