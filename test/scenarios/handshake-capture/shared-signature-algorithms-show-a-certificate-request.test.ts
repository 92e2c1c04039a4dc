// What `requireMutual` may rely on: a Node client's getSharedSigalgs is not empty when a CertificateRequest came, and
// empty when none did.
import { afterAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { record } from '../../support/handshake-capture/record.ts';
import {
  createFolder,
  type RunningServer,
  startNginx,
  startNode,
  startOpenssl,
} from '../../support/handshake-capture/servers.ts';
import { findPeer } from '../../support/peers.ts';

const folder = createFolder();
const root = createAuthority({ commonName: 'Root' });
const server = root.issue({ commonName: 'localhost', keyAlgorithm: 'RSA_2048' });
const ours = root.issue({ commonName: 'platform', usage: 'client' });
const certificate = folder.write('server.pem', server.certificate);
const key = folder.write('server.key', server.privateKey);
const authority = folder.write('root.pem', root.certificate);
const us = { cert: ours.certificate, key: ours.privateKey };
const request = 'GET / HTTP/1.0\r\n\r\n';

afterAll(() => folder.remove());

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const node = { cert: server.certificate, key: server.privateKey, ca: root.certificate };
const openssl = ['-cert', certificate, '-key', key, '-CAfile', authority];
const nginx = `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_session_cache shared:capture:1m;`;
const rsaExchange = ['-cipher', 'AES128-GCM-SHA256', '-tls1_2'];

type Case = readonly [name: string, start: () => Promise<RunningServer>, asks: boolean];

const nodeCases: Case[] = versions.flatMap((maxVersion): Case[] => [
  [
    `Node on ${maxVersion} asks`,
    () => startNode({ ...node, maxVersion, requestCert: true, rejectUnauthorized: false }),
    true,
  ],
  [`Node on ${maxVersion} does not ask`, () => startNode({ ...node, maxVersion }), false],
]);
const opensslCases: Case[] = [
  ...['-tls1_2', '-tls1_3'].flatMap((flag): Case[] => [
    [`openssl ${flag} asks`, () => startOpenssl([...openssl, flag, '-verify', '1']), true],
    [
      `openssl ${flag} asks for RSA alone`,
      () => startOpenssl([...openssl, flag, '-verify', '1', '-client_sigalgs', 'rsa_pss_rsae_sha256']),
      true,
    ],
    [`openssl ${flag} does not ask`, () => startOpenssl([...openssl, flag]), false],
  ]),
  ['openssl with RSA key exchange asks', () => startOpenssl([...openssl, ...rsaExchange, '-verify', '1']), true],
  ['openssl with RSA key exchange does not ask', () => startOpenssl([...openssl, ...rsaExchange]), false],
];
const nginxCases: Case[] = versions.flatMap((version): Case[] => {
  const block = `ssl_protocols ${version}; ${nginx}`;
  return [
    [
      `nginx on ${version} asks`,
      () => startNginx(folder.path, `${block} ssl_verify_client on; ssl_client_certificate ${authority};`),
      true,
    ],
    [
      `nginx on ${version} asks for any`,
      () => startNginx(folder.path, `${block} ssl_verify_client optional_no_ca;`),
      true,
    ],
    [`nginx on ${version} does not ask`, () => startNginx(folder.path, block), false],
  ];
});

function check(cases: readonly Case[]): void {
  it.each(cases)('%s', async (_name, start, asks) => {
    const running = await start();
    try {
      for (const identity of [us, {}]) {
        const { capture, node: told, session } = await record(running.port, { ...identity, request });
        expect(capture.asked).toBe(asks);
        expect((told?.sharedSignatureAlgorithms.length ?? 0) > 0).toBe(asks);
        // A resumed handshake has no request: what the first one said must be remembered with the session.
        expect(session).toBeDefined();
        const again = await record(running.port, { ...identity, request, ...(session ? { session } : {}) });
        expect(again.capture).toMatchObject({ resumed: true, asked: undefined });
        expect(again.node).toMatchObject({ resumed: true, sharedSignatureAlgorithms: [] });
      }
    } finally {
      await running.stop();
    }
  });
}

describe('Node', () => check(nodeCases));
describe.skipIf(!findPeer('openssl'))('openssl s_server (needs openssl)', () => check(opensslCases));
describe.skipIf(!findPeer('nginx'))('nginx (needs nginx)', () => check(nginxCases));

describe.skipIf(!findPeer('openssl'))('the exception: no common signature algorithm (needs openssl)', () => {
  it.each(['-tls1_2', '-tls1_3'])('%s looks as if it requested no certificate', async (flag) => {
    const ec = root.issue({ commonName: 'localhost' });
    const files = ['-cert', folder.write('ec.pem', ec.certificate), '-key', folder.write('ec.key', ec.privateKey)];
    const asking = ['-CAfile', authority, '-verify', '1', '-client_sigalgs', 'rsa_pss_rsae_sha256'];
    const running = await startOpenssl([...files, ...asking, flag]);
    try {
      const { capture, node: told } = await record(running.port, {
        ...us,
        request,
        sigalgs: 'ecdsa_secp256r1_sha256',
      });
      expect(capture.asked).toBe(true);
      expect(told?.sharedSignatureAlgorithms).toEqual([]);
    } finally {
      await running.stop();
    }
  });
});
