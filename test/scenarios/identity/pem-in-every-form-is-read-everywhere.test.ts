// Every form of PEM that the import reads is read in identity documents and folders, and by all options that take PEM.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, describe, expect, it } from 'vitest';
import { identityFrom } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { destinationsSchema } from '../../../core/destination/schema.ts';
import { checkIdentity } from '../../../core/identity/check.ts';
import { directorySource } from '../../../core/identity/directory.ts';
import { issuerServer } from '../../../core/issuers/https-client.ts';
import { canonicalPem, decodeText, writePem } from '../../../core/x509/pem.ts';
import { parseTrust } from '../../../serve/reload/tls-files.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { makeChain, makeKeys, store } from '../../support/identity/identities.ts';
import { findPeer } from '../../support/peers.ts';
import { pemForms } from '../../support/pem-forms.ts';

const chain = makeChain();
const keys = makeKeys(chain);
const folder = mkdtempSync(join(tmpdir(), 'countersign-pem-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const expected = {
  privateKey: keys.privateKey,
  certificate: keys.certificate,
  intermediateCertificates: keys.intermediateCertificates,
  rootCertificate: keys.rootCertificate,
};

describe.each(Object.entries(pemForms))('PEM %s', (name, form) => {
  const bytes = (pem: string) => Buffer.from(form(pem) as string);
  const text = (pem: string) => decodeText(bytes(pem));

  it('is imported', async () => {
    const together = bytes(Object.values(expected).join(''));
    const result = identityFrom(await readFiles([{ name: 'all', bytes: together }], async () => undefined), {
      now: Date.now(),
    });
    expect(result).toMatchObject({ document: expected });
  });

  it('is read in an identity document', () => {
    const document = Object.fromEntries(Object.entries(expected).map(([key, pem]) => [key, text(pem)]));
    expect(checkIdentity('platform', store(document), Date.now())).toMatchObject(expected);
  });

  it.each(['own', 'cert-manager'])('is read in an identity folder with %s file names', async (kind) => {
    const identity = `${kind}-${Object.keys(pemForms).indexOf(name)}`;
    mkdirSync(join(folder, identity));
    const own = {
      'private-key.pem': keys.privateKey,
      'certificate.pem': keys.certificate,
      'intermediates.pem': keys.intermediateCertificates,
      'root.pem': keys.rootCertificate,
    };
    const certManager = {
      'tls.key': keys.privateKey,
      'tls.crt': keys.certificate + keys.intermediateCertificates,
      'ca.crt': keys.rootCertificate,
    };
    for (const [file, pem] of Object.entries(kind === 'own' ? own : certManager)) {
      writeFileSync(join(folder, identity, file), bytes(pem), { mode: 0o600 });
    }
    const stored = await directorySource(folder).read(identity, 'AWSCURRENT');
    expect(checkIdentity(identity, stored, Date.now())).toMatchObject(expected);
  });

  it('is read as roots of a destination', () => {
    const [destination] = v.parse(destinationsSchema, [
      { host: '*.acme.example', serverRoots: text(keys.rootCertificate + keys.intermediateCertificates) },
    ]);
    expect(destination?.serverRoots).toBe(keys.rootCertificate + keys.intermediateCertificates);
  });

  it('is read as roots of an issuer', () => {
    const { roots } = issuerServer({ url: 'https://ca.acme.example', roots: text(keys.rootCertificate) });
    expect(roots).toBe(keys.rootCertificate);
  });

  it('is read by serve', () => {
    const { context } = parseTrust([text(keys.certificate), text(keys.privateKey), text(keys.rootCertificate)]);
    expect(context).toMatchObject({ cert: keys.certificate, key: keys.privateKey, ca: keys.rootCertificate });
  });
});

describe.skipIf(!findPeer('openssl'))('a TRUSTED CERTIFICATE of OpenSSL (needs openssl)', () => {
  const trusted = (...settings: readonly string[]) =>
    execFileSync(findPeer('openssl') as string, ['x509', '-trustout', ...settings], {
      input: keys.rootCertificate,
      encoding: 'utf8',
    });
  const asServerRoot = (pem: string) =>
    v.safeParse(destinationsSchema, [{ host: 'api.acme.example', serverRoots: pem }]).success;
  const asIssuerRoot = (pem: string) => issuerServer({ url: 'https://ca.acme.example', roots: pem }).roots;
  const asClientCa = (pem: string) => () => parseTrust([keys.certificate, keys.privateKey, pem]);

  it.each([
    ['-setalias', 'root', true, true],
    ['-addtrust', 'serverAuth', true, false],
    ['-addtrust', 'clientAuth', false, true],
    ['-addtrust', 'emailProtection', false, false],
    ['-addtrust', 'anyExtendedKeyUsage', true, true],
    ['-addreject', 'serverAuth', false, true],
    ['-addreject', 'clientAuth', true, false],
    ['-addreject', 'anyExtendedKeyUsage', false, false],
  ])('with %s %s is a root for servers: %s, for clients: %s', (option, value, forServers, forClients) => {
    const pem = trusted(option, value);
    expect(pem).toContain('BEGIN TRUSTED CERTIFICATE');
    // Also as --server-roots reads the file.
    expect([asServerRoot(pem), asServerRoot(canonicalPem(pem))]).toEqual([forServers, forServers]);
    if (forServers) expect(asIssuerRoot(pem)).toBe(keys.rootCertificate);
    else expect(() => asIssuerRoot(pem)).toThrow('issuer.roots must be PEM certificates');
    if (forClients) expect(asClientCa(pem)().context.ca).toBe(keys.rootCertificate);
    else expect(asClientCa(pem)).toThrow('--client-ca contains a TRUSTED CERTIFICATE that is not trusted for clients.');
  });

  it('with settings that cannot be read is no root', () => {
    const der = Buffer.concat([new X509Certificate(keys.rootCertificate).raw, Buffer.from('3003040101', 'hex')]);
    const broken = writePem('TRUSTED CERTIFICATE', Buffer.concat([der, Buffer.of(0x30)]));
    expect(asServerRoot(broken)).toBe(false);
    expect(asClientCa(broken)).toThrow('not trusted for clients');
  });
});

describe('the command reads base64 of PEM', () => {
  const path = (name: string, pem: string) => {
    const file = join(folder, name);
    writeFileSync(file, Buffer.from(pem).toString('base64'));
    return file;
  };
  const key = path('key.b64', keys.privateKey);
  const leaf = path('leaf.b64', keys.certificate);
  const roots = path('roots.b64', keys.rootCertificate);

  it('of --server-roots', async () => {
    const rest = path('rest.b64', keys.intermediateCertificates + keys.rootCertificate);
    const args = ['identity', 'import', 'acme', key, leaf, rest, '--destination', 'https://*.acme.example'];
    const source = join(folder, 'source');
    mkdirSync(source);
    const ran = await runCommand([...args, '--server-roots', roots, '--source', `directory:${source}`]);
    expect(ran.code, ran.error).toBe(0);
    const { document } = await directorySource(source).read('acme', 'AWSCURRENT');
    expect(JSON.parse(document).destinations).toEqual([{ host: '*.acme.example', serverRoots: keys.rootCertificate }]);
  });

  it('of --cert, --key and --cacert', async () => {
    const access = ['--cert', leaf, '--key', key, '--cacert', roots];
    const ran = await runCommand(['diagnose', 'https://api.acme.example', '--api', 'https://localhost:1', ...access]);
    // The files were accepted: only the connection fails.
    expect(ran.error).not.toMatch(/--cacert|--cert/);
    expect(ran.code).toBe(3);
  });
});
