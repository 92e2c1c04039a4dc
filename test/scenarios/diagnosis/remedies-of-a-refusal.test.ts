// What must be done about a refusal depends on whether the server names our issuer, and on our own certificate.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { clientFacts, suspectFindings } from '../../../core/diagnosis/client-certificate.ts';
import type { Finding } from '../../../core/diagnosis/diagnosis.ts';
import type { Identity } from '../../../core/identity/identity.ts';
import { codes, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { revocationList, startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { serveHttps } from '../../support/servers.ts';

const trial = useDiagnosing();
const ours = trial.platformRoot.certificate;
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

function told(diagnosis: { readonly remedies: readonly { readonly who: string; readonly do: string }[] }): string[] {
  return diagnosis.remedies.map((remedy) => `${remedy.who}: ${remedy.do}`);
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  const only = { destination: { maxTlsVersion: maxVersion } };

  it('a server that accepts the certificate and closes gets other causes, not a missing root', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.end(), { maxVersion, ca: ours });
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'inferred' });
    const [first, ...rest] = told(diagnosis);
    expect(first).toMatch(/^customer: Check in the log .* ALPN protocol .* rule for client addresses/);
    expect(rest.join('\n')).not.toContain('Add the root');
  });

  it('a server that lists no issuer and closes: read its log, then install the root', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.end(), { maxVersion });
    const [first, second] = told(await trial.diagnose(port));
    expect(first).toMatch(/^customer: Check in the log/);
    expect(second).toMatch(/^customer: Add the root/);
  });

  describe.skipIf(!findPeer('openssl'))('openssl (needs openssl)', () => {
    it('an expired revocation list is the customer’s to renew', async () => {
      const folder = privateFolder();
      const { platformIssuer } = trial;
      folder.write('index.txt', '');
      folder.write('ca.pem', platformIssuer.certificate);
      folder.write('key.pem', platformIssuer.privateKey);
      folder.write('ca.cnf', '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ndefault_md=sha256\n');
      const dates = ['-crl_lastupdate', '20250101000000Z', '-crl_nextupdate', '20250201000000Z'];
      const expired = execFileSync(
        findPeer('openssl') ?? '',
        ['ca', '-config', 'ca.cnf', '-gencrl', '-cert', 'ca.pem', '-keyfile', 'key.pem', ...dates],
        { cwd: folder.path, encoding: 'utf8', stdio: 'pipe' },
      );
      const { port } = await startOpenssl(trial.server, { clientRoots: ours, revoked: expired });
      const diagnosis = await trial.diagnose(port, only);
      expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'observed' });
      expect(diagnosis.steps[4]?.findings[0]?.evidence).toMatchObject({ alert: 'certificate_expired' });
      expect(told(diagnosis)).toEqual([
        expect.stringMatching(
          /^customer: Check the clock of the server and renew its revocation lists: .* valid until/,
        ),
      ]);
    });

    it('a missing revocation list causes unknown_ca although the server lists our issuer', async () => {
      const other = revocationList(trial.customerRoot, []);
      const { port } = await startOpenssl(trial.server, { clientRoots: ours, revoked: other });
      const diagnosis = await trial.diagnose(port, only);
      expect(diagnosis.steps[4]?.findings[0]?.evidence).toMatchObject({ alert: 'unknown_ca' });
      const remedies = told(diagnosis);
      expect(remedies[0]).toMatch(/^customer: Check in the log/);
      expect(remedies.join('\n')).toMatch(/revocation list of each authority/);
      expect(remedies.join('\n')).toMatch(
        /fingerprint of CN=Platform Root .* with ours, ([0-9A-F]{2}:){31}[0-9A-F]{2}/,
      );
      expect(remedies.join('\n')).not.toContain('Add the root');
    });

    it('a chain longer than the server allows needs a higher limit', async () => {
      const issuer = trial.platformRoot.intermediate({ commonName: 'A' }).intermediate({ commonName: 'B' });
      const client = issuer.issue({ commonName: 'platform', usage: 'client' });
      const { port } = await startOpenssl(trial.server, { clientRoots: ours, args: ['-verify_depth', '1'] });
      const diagnosis = await trial.diagnose(port, { ...only, client });
      expect(diagnosis.verdict).toBe('access-refused');
      expect(codes(diagnosis)).toEqual(['client-certificate-suspect', 'client-certificate-rejected']);
      expect(told(diagnosis)[0]).toMatch(/^customer: Allow 2 intermediate certificates/);
    });
  });
});

describe('a sound client certificate', () => {
  it('has no fault', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), {
      ca: ours,
      rejectUnauthorized: true,
    });
    expect(codes(await trial.diagnose(port))).toEqual(['probe-answered']);
  });
});

describe.skipIf(!findPeer('openssl'))('a faulty client certificate (needs openssl)', () => {
  const openssl = (cwd: string, ...args: string[]) =>
    execFileSync(findPeer('openssl') ?? '', args, { cwd, encoding: 'utf8', stdio: 'pipe' });

  /** A root, an intermediate and a leaf; each with further extensions. */
  function identityWith(extensions: { leaf?: string; issuer?: string; curve?: string } = {}): Identity {
    const { path, write } = privateFolder();
    write('issuer.ext', `basicConstraints=critical,CA:TRUE\n${extensions.issuer ?? ''}`);
    write('leaf.ext', extensions.leaf ?? 'extendedKeyUsage=clientAuth');
    const key = (name: string, curve = 'prime256v1') =>
      openssl(path, 'ecparam', '-name', curve, '-genkey', '-noout', '-out', `${name}.key`);
    const sign = (name: string, by: string) => {
      openssl(path, 'req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
      const issuer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
      return openssl(path, 'x509', '-req', '-in', `${name}.csr`, ...issuer, '-days', '9', '-extfile', `${name}.ext`);
    };
    for (const name of ['root', 'issuer']) key(name);
    key('leaf', extensions.curve);
    const rootCertificate = openssl(
      path,
      'req',
      '-x509',
      '-new',
      '-key',
      'root.key',
      '-subj',
      '/CN=root',
      '-days',
      '9',
    );
    write('root.pem', rootCertificate);
    const intermediateCertificates = sign('issuer', 'root');
    write('issuer.pem', intermediateCertificates);
    const certificate = sign('leaf', 'issuer');
    return { certificate, intermediateCertificates, rootCertificate } as Identity;
  }

  function suspects(identity: Identity, alert = 'certificate_unknown', issuerAccepted = true): readonly Finding[] {
    const rejected: Finding = {
      code: 'client-certificate-rejected',
      severity: 'failure',
      detail: 'It is so.',
      certainty: 'observed',
      evidence: { alert },
    };
    return suspectFindings(identity, { issuerAccepted }, { findings: [rejected], page: undefined });
  }

  it.each([
    ['sound', {}, []],
    ['anyExtendedKeyUsage alone', { leaf: 'extendedKeyUsage=anyExtendedKeyUsage' }, ['extended-key-usage']],
    ['no extended key usage', { leaf: 'keyUsage=digitalSignature' }, []],
    ['the issuer for servers only', { issuer: 'extendedKeyUsage=serverAuth' }, ['extended-key-usage']],
    ['an unknown critical extension', { leaf: '1.2.3.4=critical,ASN1:NULL' }, ['critical-extension']],
    ['an unknown extension', { leaf: '1.2.3.4=ASN1:NULL' }, []],
    ['name constraints', { issuer: 'nameConstraints=critical,permitted;DNS:bots.example' }, ['name-constraints']],
    ['a key on P-521', { curve: 'secp521r1' }, ['key-type']],
  ])('%s', (_name, extensions, reasons) => {
    const identity = identityWith(extensions);
    expect(suspects(identity).map(({ evidence }) => evidence?.reason)).toEqual(reasons);
    // Another cause is certain, or the server does not know our issuer.
    expect(suspects(identity, 'certificate_expired')).toEqual([]);
    expect(suspects(identity, 'unknown_ca')).toEqual([]);
    expect(suspects(identity, 'bad_certificate', false)).toEqual([]);
  });

  it('without its intermediate is detected whatever issuers the server lists', () => {
    const identity = { ...identityWith(), intermediateCertificates: '' };
    expect(suspects(identity, 'unknown_ca', false)).toMatchObject([
      { code: 'client-certificate-suspect', evidence: { reason: 'chain-incomplete', missingIssuer: 'CN=issuer' } },
    ]);
  });

  it('has its dates in the remedies', () => {
    const identity = identityWith();
    const now = Date.now();
    expect(clientFacts(identity, now)).toMatchObject({
      isValid: true,
      isForClients: true,
      intermediates: 1,
      root: 'CN=root',
    });
    expect(clientFacts(identity, now + 10 * 86_400_000).isValid).toBe(false);
    expect(clientFacts(identity, now - 86_400_000).isValid).toBe(false);
  });
});
