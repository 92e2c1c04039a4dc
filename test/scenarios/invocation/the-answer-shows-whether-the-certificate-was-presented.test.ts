// `clientCertificateRequested` and `client` of an answer, against servers that ask, never ask, or ask for other keys.
import { describe, expect, it } from 'vitest';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const closing = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

describe.each(versions)('over %s', (maxVersion) => {
  const version = { maxVersion, minVersion: maxVersion };

  it.each([
    ['that asks', true],
    ['that never asks', false],
  ])('a server %s: new, reused and resumed connections say the same', async (_name, requestCert) => {
    let text = ok;
    const server = await serveHttps(trial.server, (socket) => socket.write(text), { ...version, requestCert });
    const replies = [await trial.call(server.port)];
    text = closing;
    replies.push(await trial.again(), await trial.again());
    expect(replies.map(({ body }) => body.handshake.connection)).toEqual(['new', 'reused', 'resumed']);
    for (const { body } of replies) {
      expect(body.handshake.clientCertificateRequested).toBe(requestCert);
      expect(body.handshake.client?.version).toBe(requestCert ? replies[0]?.body.handshake.client.version : undefined);
      expect('client' in body.handshake).toBe(requestCert);
      if (requestCert) expect(body.advice).toBeUndefined();
      else expect(body.advice).toMatch(/^The API server did not ask for a client certificate, so none was presented\./);
    }
  });
});

/**
 * Suites and groups change the size of the client's flight, which decides. P-256 is allowed beside the group, because
 * over TLS 1.2 OpenSSL refuses a client certificate of a curve that is not among the groups.
 */
const shapes: readonly (readonly [string, readonly string[]])[] = [
  ['TLS 1.3 with SHA-256', ['-tls1_3', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256']],
  ['TLS 1.3 with SHA-384', ['-tls1_3', '-ciphersuites', 'TLS_AES_256_GCM_SHA384']],
  ['TLS 1.3 after a HelloRetryRequest', ['-tls1_3', '-groups', 'P-521']],
  ['TLS 1.3 without compatibility messages', ['-tls1_3', '-no_middlebox']],
  ...['X25519', 'X448', 'P-256', 'P-384', 'P-521'].flatMap((group) =>
    ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((suite): [string, string[]] => [
      `TLS 1.2 with ${group} and ${suite}`,
      [
        '-tls1_2',
        '-serverpref',
        '-groups',
        group === 'P-256' ? group : `${group}:P-256`,
        '-cipher',
        `ECDHE-RSA-${suite}`,
      ],
    ]),
  ),
];
describe.skipIf(!findPeer('openssl'))('with openssl as the server (needs openssl)', () => {
  const rsaServer = trial.serverWith({ keyAlgorithm: 'RSA_2048' });
  const optional = ['-verify', '5'];
  const rsaClients = [...optional, '-client_sigalgs', 'rsa_pss_rsae_sha256'];

  const asked = (more: readonly string[]) => (more.length > 0 ? { clientRoots: trial.platformRoot.certificate } : {});

  it.each(shapes)('%s: certificate requested, not requested, requested for other keys', async (_name, args) => {
    for (const [more, requested, presented] of [
      [optional, true, true],
      [[], false, false],
      [rsaClients, true, false],
    ] as const) {
      const { port } = await startOpenssl(rsaServer, { ...asked(more), args: [...args, ...more] });
      const reply = (await trial.call(port)).body;
      expect(reply, JSON.stringify(reply)).toHaveProperty('handshake');
      const { handshake, advice = '' } = reply;
      expect([handshake.clientCertificateRequested, 'client' in handshake]).toEqual([requested, presented]);
      expect(/none was presented/.test(advice)).toBe(!presented);
    }
  });

  it('a CBC suite: a sent certificate is known; no request looks like a request for other algorithms', async () => {
    const args = ['-tls1_2', '-cipher', 'ECDHE-RSA-AES256-SHA384'];
    const asking = await startOpenssl(rsaServer, { ...asked(optional), args: [...args, ...optional] });
    const first = (await trial.call(asking.port)).body;
    expect(first.handshake).toMatchObject({ clientCertificateRequested: true, client: { stage: 'AWSCURRENT' } });
    const silent = await startOpenssl(rsaServer, { args });
    const { handshake, advice } = (await trial.call(silent.port)).body;
    expect(handshake.clientCertificateRequested).toBe('unknown');
    expect(handshake).not.toHaveProperty('client');
    expect(advice).toMatch(/^No client certificate was presented: the API server did not ask for one, or accepts no/);
  });

  it('a request for algorithms that OpenSSL does not show is not reported as no request', async () => {
    const args = [...optional, '-tls1_2', '-client_sigalgs', 'ECDSA+SHA1', '-cipher', 'DEFAULT:@SECLEVEL=0'];
    const { port } = await startOpenssl(trial.server, { args });
    const { handshake, advice } = (await trial.call(port)).body;
    expect(handshake.clientCertificateRequested).toBe(true);
    expect(handshake).not.toHaveProperty('client');
    expect(advice).toMatch(/accepts no signature algorithm of the identity’s key, so none was presented/);
  });
});
