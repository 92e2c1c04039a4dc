// Flights of real servers, recorded: each is held against what Node's client and openssl's say of the same server.
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { createCaptureReader } from '../../../core/tls/handshake-capture/capture-reader.ts';
import { connectRecorded } from '../../../core/tls/handshake-capture/recorded-socket.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { type Recording, record, replay } from '../../support/handshake-capture/record.ts';
import {
  createFolder,
  type RunningServer,
  startInteractiveOpenssl,
  startNginx,
  startNode,
  startOpenssl,
} from '../../support/handshake-capture/servers.ts';
import { findPeer } from '../../support/peers.ts';

const openssl = findPeer('openssl') ?? '';
const folder = createFolder();
const root = createAuthority({ commonName: 'Server Root' });
const issuing = root.intermediate({ commonName: 'Server Issuing' });
const server = issuing.issue({ commonName: 'localhost', names: ['localhost'], usage: 'server' });
const rsaServer = issuing.issue({ commonName: 'localhost', usage: 'server', keyAlgorithm: 'RSA_2048' });
const clientRoot = createAuthority({ commonName: 'Client Root' });
const ours = clientRoot.issue({ commonName: 'platform', usage: 'client' });
const stranger = createAuthority({ commonName: 'Stranger' }).issue({ commonName: 'stranger', usage: 'client' });
const files = {
  certificate: folder.write('server.pem', server.certificate),
  key: folder.write('server.key', server.privateKey),
  chain: folder.write('chain.pem', server.intermediates),
  fullChain: folder.write('full.pem', server.certificate + server.intermediates),
  rsaCertificate: folder.write('rsa.pem', rsaServer.certificate),
  rsaKey: folder.write('rsa.key', rsaServer.privateKey),
  clientRoot: folder.write('client-root.pem', clientRoot.certificate),
};
const base = ['-cert', files.certificate, '-key', files.key, '-cert_chain', files.chain];
const asking = [...base, '-CAfile', files.clientRoot, '-Verify', '2', '-verify_return_error'];
const us = { cert: ours.certificate, key: ours.privateKey, request: 'GET / HTTP/1.0\r\n\r\n' };
const served = [server.certificate, server.intermediates].map((pem) => new X509Certificate(pem).raw);

afterAll(() => folder.remove());

async function withServer<Result>(start: Promise<RunningServer>, use: (port: number) => Promise<Result>) {
  const running = await start;
  try {
    return await use(running.port);
  } finally {
    await running.stop();
  }
}

/** What Node says of the connection, and the same bytes read again one at a time. */
function expectAgreement({ capture, node, bytes, lines, ocsp }: Recording): void {
  expect(capture.protocol).toBe(node?.protocol);
  expect(capture.cipher).toBe(node?.cipher);
  expect(capture.resumed).toBe(node?.resumed);
  expect(capture.alpn ?? null).toBe(node?.alpn);
  expect(capture.stapledOcsp).toEqual(ocsp);
  if (!capture.resumed) {
    expect(capture.keyExchange?.toLowerCase()).toBe(
      node?.keyExchange?.toLowerCase().replace('prime256v1', 'secp256r1'),
    );
    expect(capture.certificates).toEqual(node?.chain);
    expect(capture.asked).toBe(capture.request !== undefined);
    expect(capture.sentCertificate).toBe(capture.asked ? true : undefined);
  }
  expect(capture.finished).toBe(true);
  const again = replay(bytes, lines, 1, false);
  // A replay has only what the client received.
  expect(again).toEqual({ ...capture, stopped: again.stopped, sentCertificate: undefined });
}

const full13 = [
  'server_hello',
  'encrypted_extensions',
  'certificate_request',
  'certificate',
  'certificate_verify',
  'finished',
];
const full12 = ['server_hello', 'certificate', 'server_key_exchange', 'certificate_request', 'server_hello_done'];

describe.skipIf(!openssl).each([
  ['1.3', '-tls1_3', full13],
  ['1.2', '-tls1_2', full12],
] as const)('openssl s_server on TLS %s (needs openssl)', (_version, flag, full) => {
  it('requests a certificate: the capture matches the output of openssl s_client', async () => {
    await withServer(startOpenssl([...asking, flag]), async (port) => {
      const recording = await record(port, us);
      expectAgreement(recording);
      const { capture } = recording;
      expect(capture.certificates).toEqual(served);
      expect(capture.messages.slice(0, full.length)).toEqual(full);
      expect(capture.stopped).toBe('application-data');
      const seen = spawnSync(
        openssl,
        [
          's_client',
          '-connect',
          `127.0.0.1:${port}`,
          '-nameopt',
          'RFC2253',
          '-cert',
          files.certificate,
          '-key',
          files.key,
        ],
        { input: '', encoding: 'utf8' },
      ).stdout;
      expect(capture.request?.acceptableIssuers.map((name) => name.text)).toEqual(['CN=Client Root']);
      expect(seen).toContain('Acceptable client certificate CA names\nCN=Client Root\n');
      const algorithms = /^Requested Signature Algorithms: (.*)$/m.exec(seen)?.[1]?.split(':').map(inOurWords);
      expect(capture.request?.signatureAlgorithms.map(hashAndKind)).toEqual(algorithms);
      const types = /^Client Certificate Types: (.*)$/m.exec(seen)?.[1]?.split(', ');
      expect(capture.request?.certificateTypes.map(inOpensslWords)).toEqual(types ?? []);
    });
  });

  it('requests no certificate', async () => {
    await withServer(startOpenssl([...base, flag]), async (port) => {
      const recording = await record(port, us);
      expectAgreement(recording);
      expect(recording.capture.asked).toBe(false);
    });
  });

  it('in records of 512 bytes, with 500 acceptable issuers', async () => {
    const authorities = Array.from({ length: 500 }, (_, index) =>
      createAuthority({ commonName: `Authority ${index}` }),
    );
    const many = folder.write('many.pem', authorities.map((authority) => authority.certificate).join(''));
    const small = [...base, '-CAfile', many, '-verify', '2', flag, '-max_send_frag', '512', '-split_send_frag', '512'];
    await withServer(startOpenssl(small), async (port) => {
      const recording = await record(port, us);
      expectAgreement(recording);
      const texts = recording.capture.request?.acceptableIssuers.map((name) => name.text);
      expect(new Set(texts)).toEqual(new Set(authorities.map((_, index) => `CN=Authority ${index}`)));
    });
  });

  it('resumes a session: the capture has no certificate, and a request is unknown', async () => {
    await withServer(startOpenssl([...asking, flag]), async (port) => {
      const { session } = await record(port, us);
      const recording = await record(port, { ...us, ...(session ? { session } : {}) });
      expectAgreement(recording);
      expect(recording.capture).toMatchObject({ resumed: true, asked: undefined, certificates: [], finished: true });
    });
  });

  it('staples an OCSP response', async () => {
    const response = ocspResponse();
    await withServer(startOpenssl([...base, flag, '-status_file', response]), async (port) => {
      const recording = await record(port, { ...us, requestOCSP: true });
      expectAgreement(recording);
      expect(recording.capture.stapledOcsp).toBeDefined();
    });
  });

  it.each([
    [
      'an unknown issuer',
      { ...us, cert: stranger.certificate, key: stranger.privateKey },
      ['unknown_ca', 'unknown_ca'],
    ],
    ['no certificate', { request: us.request }, ['certificate_required', 'handshake_failure']],
  ] as const)('rejects %s with an alert', async (_title, options, [on13, on12]) => {
    await withServer(startOpenssl([...asking, flag]), async (port) => {
      const { capture, error } = await record(port, options);
      const is13 = flag === '-tls1_3';
      expect(capture).toMatchObject({ asked: true, finished: is13 });
      expect(capture.alerts).toMatchObject([
        { level: 'fatal', description: is13 ? on13 : on12, encrypted: is13, afterFinished: is13 },
      ]);
      expect(error?.code).toMatch(/ALERT/);
    });
  });
});

describe.skipIf(!openssl)('openssl s_server (needs openssl)', () => {
  it('accepts only P-384: a HelloRetryRequest comes first', async () => {
    await withServer(startOpenssl([...asking, '-tls1_3', '-groups', 'P-384']), async (port) => {
      const recording = await record(port, us);
      expectAgreement(recording);
      expect(recording.capture).toMatchObject({ helloRetryRequest: true, keyExchange: 'secp384r1', asked: true });
    });
  });

  it('uses RSA key exchange: there is no ServerKeyExchange', async () => {
    const rsa = ['-cert', files.rsaCertificate, '-key', files.rsaKey, '-CAfile', files.clientRoot, '-Verify', '2'];
    await withServer(startOpenssl([...rsa, '-tls1_2', '-cipher', 'AES128-SHA256']), async (port) => {
      const recording = await record(port, us);
      expectAgreement(recording);
      expect(recording.capture).toMatchObject({ keyExchange: undefined, signatureAlgorithm: undefined, asked: true });
    });
  });

  it('supports only TLS 1.1: the capture has only an alert', async () => {
    await withServer(startOpenssl([...base, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0']), async (port) => {
      const { capture } = await record(port, us);
      expect(capture).toMatchObject({ protocol: undefined, messages: [], asked: undefined });
      expect(capture.alerts).toMatchObject([{ description: 'protocol_version', encrypted: false }]);
    });
  });

  it('starts a renegotiation on TLS 1.2: the capture shows only its start', async () => {
    const running = await startInteractiveOpenssl([...base, '-tls1_2']);
    const reader = createCaptureReader();
    const socket = connectRecorded(connect(running.port, '127.0.0.1'), { rejectUnauthorized: false }, reader);
    try {
      await once(socket, 'secureConnect');
      socket.write('we are connected\n');
      await vi.waitFor(() => expect(running.output()).toContain('we are connected'));
      expect(reader.capture.messages.slice(-2)).toEqual(['change_cipher_spec', 'finished']);
      running.say('r');
      await vi.waitFor(() => expect(reader.capture.messages.slice(-2)).toEqual(['finished', 'hello_request']));
    } finally {
      socket.destroy();
      await running.stop();
    }
  });
});

describe.skipIf(!findPeer('nginx') || !openssl)('nginx (needs nginx and openssl)', () => {
  it.each(['TLSv1.2', 'TLSv1.3'])('requests a certificate on %s', async (version) => {
    const block = `ssl_protocols ${version}; ssl_certificate ${files.fullChain}; ssl_certificate_key ${files.key};
      ssl_client_certificate ${files.clientRoot}; ssl_verify_client on;`;
    await withServer(startNginx(folder.path, block), async (port) => {
      const recording = await record(port, us);
      expectAgreement(recording);
      expect(recording.capture).toMatchObject({ protocol: version, asked: true, certificates: served });
    });
  });
});

describe('Node', () => {
  const options = {
    cert: server.certificate + server.intermediates,
    key: server.privateKey,
    ca: clientRoot.certificate,
  };

  it('selects an ALPN protocol on TLS 1.2 and 1.3', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const start = startNode({ ...options, maxVersion, requestCert: true, ALPNProtocols: ['http/1.1'] });
      await withServer(start, async (port) => {
        const recording = await record(port, { ...us, ALPNProtocols: ['h2', 'http/1.1'] });
        expectAgreement(recording);
        expect(recording.capture).toMatchObject({ alpn: 'http/1.1', asked: true });
      });
    }
  });
});

/**
 * The words of `openssl s_client` for signature algorithms and certificate types, and ours cut down to what they say.
 */
function inOurWords(word: string): string {
  // OpenSSL 3.5 also says `id-ml-dsa-44` and `ecdsa_brainpoolP256r1_sha256`.
  const [kind = '', hash = ''] = word
    .toLowerCase()
    .replace(/^id-ml-dsa-/, 'mldsa')
    .split('+');
  return hash ? `${kind.replace('rsa-pss', 'rsa_pss_rsae')}_${hash}` : kind;
}

function hashAndKind(algorithm: string): string {
  const kind = algorithm.replace(/^rsa_pkcs1_/, 'rsa_').replace(/^ecdsa_secp\d+r1_/, 'ecdsa_');
  return kind.replace('tls13_', '_').toLowerCase();
}

function inOpensslWords(type: string): string {
  return type.replace('dss_sign', 'DSA sign').replace('rsa_sign', 'RSA sign').replace('ecdsa_sign', 'ECDSA sign');
}

function ocspResponse(): string {
  const serial = new X509Certificate(server.certificate).serialNumber;
  const index = folder.write('index.txt', `V\t491231235959Z\t\t${serial}\tunknown\t/CN=localhost\n`);
  const issuer = folder.write('issuing.pem', issuing.certificate);
  const key = folder.write('issuing.key', issuing.privateKey);
  const response = join(folder.path, 'ocsp.der');
  const from = ['-index', index, '-CA', issuer, '-rsigner', issuer, '-rkey', key, '-issuer', issuer];
  execFileSync(openssl, ['ocsp', ...from, '-serial', `0x${serial}`, '-respout', response], { stdio: 'ignore' });
  return response;
}
