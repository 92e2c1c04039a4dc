// An identity that passes the checks of the platform, and that a server would reject, is not stored.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { findingOf } from '../../../cli/import/finding.ts';
import { type ImportedDocument, identityFrom, prove } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { createSubject, type KeyType, textFile } from '../../support/import/samples.ts';
import { findPeer } from '../../support/peers.ts';

function documentOf(keyType: KeyType): ImportedDocument {
  const { privateKey, certificates } = createSubject(keyType);
  const [certificate, lower, upper, rootCertificate] = certificates;
  return { privateKey, certificate, intermediateCertificates: `${lower}${upper}`, rootCertificate };
}

describe('a sound identity', () => {
  it.each(['RSA_2048', 'EC_P256', 'EC_P384'] as const)(
    'of %s completes handshakes with TLS 1.2 and 1.3, and opens no port',
    async (keyType) => {
      const listen = vi.spyOn(Server.prototype, 'listen');
      const dial = vi.spyOn(Socket.prototype, 'connect');
      await prove(documentOf(keyType));
      expect(listen).not.toHaveBeenCalled();
      expect(dial).not.toHaveBeenCalled();
    },
  );
});

describe('the import rejects what the platform would reject', () => {
  it('a chain without its intermediate', async () => {
    const document = { ...documentOf('EC_P256'), intermediateCertificates: '' };
    await expect(prove(document)).rejects.toMatchObject({
      code: 'identity-unusable',
      evidence: { reason: 'chain-incomplete' },
    });
  });

  it('the root of another authority with the same name', async () => {
    const rootCertificate = createAuthority({ commonName: 'Import root' }).certificate;
    await expect(prove({ ...documentOf('EC_P256'), rootCertificate })).rejects.toMatchObject({
      code: 'identity-unusable',
    });
  });

  it('an expired certificate, by the given clock', async () => {
    await expect(prove(documentOf('EC_P256'), Date.UTC(2099, 0, 1))).rejects.toMatchObject({
      evidence: { reason: 'expired' },
    });
  });
});

describe.skipIf(!findPeer('openssl'))('a fault that only a handshake finds (needs openssl)', () => {
  it('a name that the issuer may not certify', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-proof-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = (name: string) => join(folder, name);
    const openssl = (...args: string[]) =>
      execFileSync(findPeer('openssl') ?? '', args, { cwd: folder, stdio: 'pipe' });
    const key = (name: string) => openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
    for (const name of ['root', 'bot']) key(name);
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      'root.key',
      '-subj',
      '/CN=Constrained root',
      '-days',
      '30',
      '-out',
      'root.pem',
      '-addext',
      'keyUsage=critical,keyCertSign',
      '-addext',
      'nameConstraints=critical,permitted;DNS:acme.example',
    );
    openssl('req', '-new', '-key', 'bot.key', '-subj', '/CN=bot', '-out', 'bot.csr');
    writeFileSync(
      file('bot.cnf'),
      'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:bot.other.example\n',
    );
    openssl(
      'x509',
      '-req',
      '-in',
      'bot.csr',
      '-CA',
      'root.pem',
      '-CAkey',
      'root.key',
      '-CAcreateserial',
      '-days',
      '30',
      '-extfile',
      'bot.cnf',
      '-out',
      'bot.pem',
    );
    const files = ['bot.key', 'bot.pem', 'root.pem'].map((name) => textFile(name, readFileSync(file(name))));
    const result = identityFrom(await readFiles(files, async () => undefined), { now: Date.now() + 2_000 });
    if (!('document' in result)) return expect.fail(JSON.stringify(result));
    const refusal = await prove(result.document).catch((thrown: unknown) => findingOf(thrown));
    expect(refusal).toEqual({
      code: 'handshake-failed',
      severity: 'error',
      where: 'TLSv1.2',
      sentence:
        'A server that trusts the root refuses the identity in TLSv1.2: it breaks a rule of X.509 that Node has no name for, such as name constraints.',
    });
  });
});
