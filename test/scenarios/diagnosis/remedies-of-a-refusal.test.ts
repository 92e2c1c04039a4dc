// What must be done about a refusal depends on whether the server names our issuer, and on our own certificate.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientFacts, suspectFindings } from '../../../core/diagnosis/client-certificate.ts';
import type { Diagnosis, Finding } from '../../../core/diagnosis/diagnosis.ts';
import type { Identity } from '../../../core/identity/identity.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { codes, findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { revocationList, startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { serveHttps, serveTcp } from '../../support/servers.ts';

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
      expect(findings(diagnosis)[0]?.evidence).toEqual({ reason: 'chain-depth', intermediates: 2 });
      expect(told(diagnosis)[0]).toMatch(/^customer: Allow 2 intermediate certificates/);
    });
  });
});

describe.skipIf(!findPeer('openssl'))('decrypt_error (needs openssl)', () => {
  const expectSignature = (diagnosis: Diagnosis) => {
    expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'inferred' });
    expect(diagnosis.steps[4]?.findings[0]?.evidence).toMatchObject({ alert: 'decrypt_error' });
    const remedies = told(diagnosis);
    expect(remedies[0]).toMatch(/^customer: Check in the log/);
    expect(remedies[1]).toMatch(/^customer: Compare the SHA-256 fingerprint of CN=Platform Root/);
    expect(remedies.at(-1)).toMatch(/^network: If a device in front of localhost inspects TLS/);
    expect(remedies.join()).not.toContain('Add the root');
    return remedies.join();
  };

  it.each([
    ['EC_P256', /^(?!.*RSA-PSS)/],
    ['RSA_2048', /RSA-PSS/],
  ] as const)('is a root of the same name with another key, if our key is %s', async (keyAlgorithm, pss) => {
    const { path } = privateFolder();
    const subject = ['-subj', '/CN=Platform Root', '-days', '9', '-addext', 'subjectKeyIdentifier=none'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'key.pem'];
    const args = ['req', '-x509', ...key, ...subject];
    const other = execFileSync(findPeer('openssl') ?? '', args, { cwd: path, encoding: 'utf8', stdio: 'pipe' });
    const { port } = await startOpenssl(trial.server, { clientRoots: other });
    const client = trial.platformIssuer.issue({ commonName: 'platform', usage: 'client', keyAlgorithm });
    const remedies = expectSignature(await trial.diagnose(port, { client }));
    expect(remedies).toMatch(pss);
  });

  it('is also sent if a device on the way changes our signature', async () => {
    const { port } = await startOpenssl(trial.server, { clientRoots: ours, args: ['-tls1_2'] });
    const device = await serveTcp((client) => {
      const server = connect(port, '127.0.0.1');
      client.on('data', (bytes: Buffer) => {
        // CertificateVerify (15) in a record of its own, behind Certificate and ClientKeyExchange.
        for (let at = 0; at + 5 < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
          if (bytes[at] === 22 && bytes[at + 5] === 15) {
            const last = at + 4 + bytes.readUInt16BE(at + 3);
            bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
          }
        }
        server.write(bytes);
      });
      server.pipe(client);
      client.on('close', () => server.destroy());
      server.on('error', () => client.destroy());
    });
    expectSignature(await trial.diagnose(device.port));
  });
});

describe('a server that names other issuers', () => {
  const theirs = trial.customerRoot.certificate;

  it('lets us in: is to check its verification', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), { ca: theirs });
    expect(told(await trial.diagnose(port))[0]).toMatch(/^customer: Check that the server verifies/);
  });

  it('was sent no request, and can refuse in HTTP: is to add the root', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), { ca: theirs });
    const diagnosis = await trial.diagnose(port, { request: { probe: false } });
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
    expect(told(diagnosis)[0]).toMatch(/^customer: Add the root/);
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
  function issuedWith(extensions: { leaf?: string; issuer?: string; curve?: string } = {}): IssuedCertificate {
    const { path, write } = privateFolder();
    write('issuer.ext', `basicConstraints=critical,CA:TRUE\n${extensions.issuer ?? ''}`);
    write('leaf.ext', extensions.leaf ?? 'extendedKeyUsage=clientAuth');
    const key = (name: string, curve = 'prime256v1') =>
      openssl(path, 'genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-out', `${name}.key`);
    const sign = (name: string, by: string) => {
      openssl(path, 'req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
      const issuer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
      return openssl(path, 'x509', '-req', '-in', `${name}.csr`, ...issuer, '-days', '9', '-extfile', `${name}.ext`);
    };
    for (const name of ['root', 'issuer']) key(name);
    key('leaf', extensions.curve);
    const subject = ['-subj', '/CN=root', '-days', '9'];
    const root = openssl(path, 'req', '-x509', '-new', '-key', 'root.key', ...subject);
    write('root.pem', root);
    const intermediates = sign('issuer', 'root');
    write('issuer.pem', intermediates);
    const certificate = sign('leaf', 'issuer');
    return { privateKey: readFileSync(join(path, 'leaf.key'), 'utf8'), certificate, intermediates, root };
  }

  function identityWith(extensions: Parameters<typeof issuedWith>[0] = {}): Identity {
    const { certificate, intermediates: intermediateCertificates, root: rootCertificate } = issuedWith(extensions);
    return { certificate, intermediateCertificates, rootCertificate } as Identity;
  }

  describe('refused by openssl', () => {
    const constrained = {
      leaf: 'subjectAltName=DNS:bot.example',
      issuer: 'nameConstraints=permitted;DNS:other.example',
    };
    const both = ['TLSv1.2', 'TLSv1.3'] as const;

    it.each([
      ['extended-key-usage', { leaf: 'extendedKeyUsage=anyExtendedKeyUsage' }, both, /^Issue .* with clientAuth/],
      ['critical-extension', { leaf: '1.2.3.4=critical,ASN1:NULL' }, both, /^Issue .* without the critical extension/],
      ['name-constraints', constrained, both, /^Issue .* names that the name constraints of CN=issuer permit/],
      // Over TLS 1.3, OpenSSL does not hold its groups against the key of a client.
      ['key-type', { curve: 'secp521r1' }, ['TLSv1.2'], /^Issue .* key that every server accepts/],
    ] as const)('for %s has the remedy of the platform first', async (reason, made, versions, remedy) => {
      const client = issuedWith(made);
      const { port } = await startOpenssl(trial.server, { clientRoots: client.root, args: ['-groups', 'P-256'] });
      for (const maxTlsVersion of versions) {
        const diagnosis = await trial.diagnose(port, { client, destination: { maxTlsVersion } });
        expect(diagnosis.verdict).toBe('access-refused');
        const suspected = findings(diagnosis).filter(({ code }) => code === 'client-certificate-suspect');
        expect(suspected.map(({ evidence }) => evidence?.reason)).toEqual([reason]);
        expect(diagnosis.remedies[0]?.do).toMatch(remedy);
        expect(diagnosis.remedies[0]?.who).toBe('platform');
        // That the identity expires soon prevented nothing.
        expect(told(diagnosis).at(-1)).toMatch(/^platform: Rotate the identity/);
      }
    });
  });

  function suspects(
    identity: Identity,
    alert = 'certificate_unknown',
    issuerAccepted = true,
    now = Date.now(),
  ): readonly Finding[] {
    const rejected: Finding = {
      code: 'client-certificate-rejected',
      severity: 'failure',
      detail: 'It is so.',
      certainty: 'observed',
      evidence: { alert },
    };
    return suspectFindings(identity, { issuerAccepted }, { findings: [rejected], page: undefined }, now);
  }

  it.each([
    ['sound', {}, []],
    ['anyExtendedKeyUsage alone', { leaf: 'extendedKeyUsage=anyExtendedKeyUsage' }, ['extended-key-usage']],
    ['no extended key usage', { leaf: 'keyUsage=digitalSignature' }, []],
    ['no digitalSignature', { leaf: 'keyUsage=keyEncipherment' }, ['key-usage']],
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
    // This alert is about the kind of certificate, not about its issuer.
    const ofKind = reasons.filter((reason) =>
      /^(?:key-usage|extended-key-usage|critical-extension|key-type)$/.test(reason),
    );
    const unsupported = suspects(identity, 'unsupported_certificate', false);
    expect(unsupported.map(({ evidence }) => evidence?.reason)).toEqual(ofKind);
  });

  it('has expired: that is the cause, whatever the server says', () => {
    const identity = identityWith({ leaf: 'extendedKeyUsage=anyExtendedKeyUsage' });
    const later = Date.now() + 10 * 86_400_000;
    expect(suspects(identity, 'unknown_ca', false, later)).toMatchObject([{ evidence: { reason: 'validity' } }]);
    expect(suspects(identity, 'unknown_ca', false, Date.now() - 86_400_000)).toHaveLength(1);
  });

  it('without its intermediate is detected whatever issuers the server lists', () => {
    const identity = { ...identityWith(), intermediateCertificates: '' };
    expect(suspects(identity, 'unknown_ca', false)).toMatchObject([
      { code: 'client-certificate-suspect', evidence: { reason: 'chain-incomplete', missingIssuer: 'CN=issuer' } },
    ]);
    // Apache asks behind the handshake: it has not come to a certificate.
    expect(suspectFindings(identity, {}, { findings: [], page: 'wanted-after-handshake' }, Date.now())).toEqual([]);
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
