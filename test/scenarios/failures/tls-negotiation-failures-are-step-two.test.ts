// Step 2: versions, cipher suites and names that the two sides do not share, against openssl and nginx.
import { describe, expect, it } from 'vitest';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const unknownName = {
  reason: 'unknown-name',
  serverName: 'localhost',
  alert: 'unrecognized_name',
  certainty: 'observed',
};

describe.skipIf(!findPeer('openssl'))('the negotiation with openssl fails (needs openssl)', () => {
  it.each([
    ['1.3 alone', '-tls1_3', 'TLSv1.2'],
    ['1.2 alone', '-tls1_2', 'TLSv1.3'],
  ] as const)('on the version: the server speaks TLS %s', async (_name, serverVersion, ours) => {
    const server = await startOpenssl(trial.server, { args: [serverVersion] });
    const destination = { minTlsVersion: ours, maxTlsVersion: ours };
    const problem = await trial.fails('tls-negotiation-failed', server.port, { destination });
    expect(problem.detail).toBe(
      `The API server supports no TLS version that the destination allows (${ours} to ${ours}).`,
    );
    expect(problem.hint).toMatch(/^The platform must widen minTlsVersion and maxTlsVersion/);
    const limits = { reason: 'version-limits', minTlsVersion: ours, maxTlsVersion: ours };
    expect(problem.evidence).toEqual({ ...limits, alert: 'protocol_version', certainty: 'observed' });
  });

  it('on the version: the server speaks TLS 1.1 at most', async () => {
    const args = ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'];
    const server = await startOpenssl(trial.server, { args });
    const problem = await trial.fails('tls-negotiation-failed', server.port);
    expect(problem.detail).toBe('The API server supports neither TLS 1.2 nor TLS 1.3.');
    expect(problem.evidence).toMatchObject({ reason: 'tls-version' });
  });

  it.each([
    ['TLS 1.2', ['-tls1_2', '-cipher', 'ECDHE-ECDSA-CAMELLIA128-SHA256']],
    ['TLS 1.3', ['-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_8_SHA256']],
  ])('on a cipher suite of %s', async (_version, args) => {
    const server = await startOpenssl(trial.server, { args });
    const problem = await trial.fails('tls-negotiation-failed', server.port);
    expect(problem.evidence).toEqual({ alert: 'handshake_failure', certainty: 'observed' });
  });

  it('on a group for the key exchange', async () => {
    const server = await startOpenssl(trial.server, { args: ['-tls1_3', '-groups', 'ffdhe6144'] });
    await trial.fails('tls-negotiation-failed', server.port);
  });

  it.each(['-tls1_2', '-tls1_3'])('on the server name (%s)', async (version) => {
    const args = [version, '-servername', 'another.example', '-servername_fatal'];
    const server = await startOpenssl(trial.server, {
      args: [...args, '-cert2', 'server.pem', '-key2', 'key.pem'],
    });
    const problem = await trial.fails('tls-negotiation-failed', server.port);
    expect(problem.detail).toBe('The API server has no site named localhost.');
    expect(problem.evidence).toEqual(unknownName);
  });

  it.each([
    ['RSA key exchange', 'AES128-GCM-SHA256'],
    ['DHE', 'DHE-RSA-AES128-GCM-SHA256'],
  ])('on %s, which is not offered', async (_name, cipher) => {
    const rsa = trial.serverWith({ keyAlgorithm: 'RSA_2048' });
    const server = await startOpenssl(rsa, { args: ['-tls1_2', '-cipher', cipher, '-msg'] });
    const problem = await trial.fails('tls-negotiation-failed', server.port);
    expect(problem.evidence).toEqual({ alert: 'handshake_failure', certainty: 'observed' });
    expect(server.program.output()).not.toMatch(/ServerKeyExchange/);
  });

  it.each(['ffdhe2048', 'ffdhe3072', 'ffdhe8192'])('on a finite-field group: %s', async (group) => {
    const server = await startOpenssl(trial.server, { args: ['-tls1_3', '-groups', group] });
    await trial.fails('tls-negotiation-failed', server.port);
  });
});

describe.skipIf(!findPeer('nginx'))('the negotiation with nginx fails (needs nginx)', () => {
  it('on the server name, which it rejects', async () => {
    const server = await startNginx(trial.server, { directives: 'ssl_reject_handshake on;' });
    const problem = await trial.fails('tls-negotiation-failed', server.port);
    expect(problem.evidence).toEqual(unknownName);
  });

  it('on the version', async () => {
    const server = await startNginx(trial.server);
    const works = await trial.call(server.port, { destination: { maxTlsVersion: 'TLSv1.2' } });
    expect(works.body).toMatchObject({ status: 200, body: 'granted\n', handshake: { protocol: 'TLSv1.2' } });
  });
});
