// Pins: any certificate of the chain that was verified satisfies one, a certificate slipped in beside it never does.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { pinOf } from '../../../core/x509/certificate.ts';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps } from '../../support/servers.ts';
import { serverNames, useTrial } from '../../support/trial.ts';

const trial = useTrial();
const pin = (pem: string) => pinOf(new X509Certificate(pem));
const unmatched = `sha256/${Buffer.alloc(32).toString('base64')}`;
const stranger = createAuthority({ commonName: 'Stranger Root' });

function serve(shown: IssuedCertificate) {
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  return serveHttps(shown, (socket) => socket.write(ok));
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s, a pin', (version) => {
  const destination = (...serverPins: string[]) => ({ minTlsVersion: version, maxTlsVersion: version, serverPins });
  const issuer = trial.customerRoot.intermediate({ commonName: 'Customer Issuer' });
  const shown = issuer.issue({ commonName: 'api', names: serverNames });

  it.each([
    ['the leaf', shown.certificate],
    ['the intermediate', issuer.certificate],
    ['the root, which is not served', trial.customerRoot.certificate],
  ])('of %s matches', async (_which, pem) => {
    const server = await serve(shown);
    const reply = await trial.call(server.port, { destination: destination(unmatched, pin(pem)) });
    expect(reply.body).toMatchObject({ status: 200, body: 'ok' });
  });

  it('a pin that matches no certificate of the chain fails the call before anything is sent', async () => {
    const server = await serve(shown);
    const problem = await trial.fails('server-certificate-pin-mismatch', server.port, {
      destination: destination(unmatched),
    });
    expect(problem.evidence.pinned).toEqual([unmatched]);
    expect(problem.evidence.served).toEqual([shown.certificate, issuer.certificate, shown.root].map(pin));
    expect(server.received()).toBe('');
  });

  it.each([
    ['behind the chain', (slipped: string) => shown.intermediates + slipped],
    ['in front of it', (slipped: string) => slipped + shown.intermediates],
  ])('of an unrelated certificate sent %s does not match', async (_where, intermediates) => {
    const slipped = stranger.certificate;
    const server = await serve({ ...shown, intermediates: intermediates(slipped) });
    await trial.fails('server-certificate-pin-mismatch', server.port, { destination: destination(pin(slipped)) });
    expect(server.received()).toBe('');
  });

  it('of an unrelated certificate with the name of the real issuer does not match', async () => {
    // The pinned key, certified by another key under the issuer's name: Node matches issuers by name.
    const impostor = createAuthority({ commonName: 'Customer Issuer' });
    const server = await serve({ ...shown, intermediates: impostor.certificate + shown.intermediates });
    await trial.fails('server-certificate-pin-mismatch', server.port, {
      destination: destination(pin(impostor.certificate)),
    });
    expect(server.received()).toBe('');
  });

  it('is checked on a resumed session', async () => {
    const server = await serveHttps(shown, (socket) => {
      socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok');
    });
    const first = await trial.call(server.port, { destination: destination(pin(issuer.certificate)) });
    const second = await trial.again();
    expect([first, second].map(({ body }) => body.handshake.connection)).toEqual(['new', 'resumed']);
    // Other terms are another link: the session is not there for them.
    await trial.fails('server-certificate-pin-mismatch', server.port, { destination: destination(unmatched) });
  });

  it('matches although the server also sends an expired cross-signed certificate', async () => {
    const old = createAuthority({ commonName: 'Old Root' });
    const { privateKey } = trial.customerRoot;
    const day = 86_400_000;
    const expired = { notBefore: new Date(Date.now() - 9 * day), notAfter: new Date(Date.now() - day) };
    const crossed = old.intermediate({ commonName: 'Customer Root', privateKey, ...expired });
    const server = await serve({ ...shown, intermediates: shown.intermediates + crossed.certificate });
    const reply = await trial.call(server.port, { destination: destination(pin(trial.customerRoot.certificate)) });
    expect(reply.body).toMatchObject({ status: 200, body: 'ok' });
    // Who signed the expired one has no say any more.
    await trial.fails('server-certificate-pin-mismatch', server.port, {
      destination: destination(pin(old.certificate)),
    });
  });
});

describe.skipIf(!findPeer('openssl'))('with openssl as the server (needs openssl)', () => {
  it('the pin of an unrelated certificate does not match', async () => {
    const shown = { ...trial.server, intermediates: stranger.certificate };
    const server = await startOpenssl(shown);
    const serverPins = [pin(stranger.certificate)];
    await trial.fails('server-certificate-pin-mismatch', server.port, { destination: { serverPins } });
  });
});
