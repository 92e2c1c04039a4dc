// After a renegotiation (TLS 1.2) the certificate of the server must be the one that was verified: name and pins are
// not checked again, so another one, though trusted, would be the man in the middle of a triple handshake.
import { constants } from 'node:crypto';
import { createSecureContext, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const diagnosing = useDiagnosing();
const ok = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';
/** Without it the renegotiation would resume the session, which shows no certificate. */
const secureOptions = constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION;

/** Answers the request only after a renegotiation, with this certificate. */
function renegotiatesWith(certificate: IssuedCertificate) {
  const context = createSecureContext({
    cert: certificate.certificate + certificate.intermediates,
    key: certificate.privateKey,
  });
  const answer = (socket: TLSSocket) => {
    socket.setKeyCert(context);
    socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => socket.write(ok));
  };
  const ca = trial.platformRoot.certificate + diagnosing.platformRoot.certificate;
  return serveHttps(trial.server, answer, { maxVersion: 'TLSv1.2', ca, secureOptions });
}

const destination = { serverRoots: trial.customerRoot.certificate };

describe('a renegotiation', () => {
  it('with the same certificate is accepted', async () => {
    const { port } = await renegotiatesWith(trial.server);
    expect((await trial.call(port, { destination })).body).toMatchObject({ status: 200, body: 'ok' });
  });

  it.each([
    ['for the same name', { names: ['localhost'] }],
    ['for another name', { names: ['other.example'] }],
  ])('with another certificate of the trusted authority, %s, ends the connection', async (_what, request) => {
    const { port, received } = await renegotiatesWith(trial.serverWith(request));
    const problem = await trial.fails('server-certificate-invalid', port, {
      destination,
      request: { method: 'POST', body: 'once' },
    });
    expect(problem).toMatchObject({ step: 3, evidence: { reason: 'certificate-changed', subject: 'CN=api' } });
    expect(received().match(/POST/g)).toHaveLength(1);
    const diagnosis = await diagnosing.diagnose(port, { destination });
    expect(diagnosis.verdict).toBe('server-not-trusted');
    expect(findings(diagnosis)[0]).toMatchObject({ code: 'server-certificate-invalid' });
  });

  it('on a resumed connection must show the certificate of the session', async () => {
    let connections = 0;
    const other = trial.serverWith({ names: ['localhost'] });
    const context = createSecureContext({ cert: other.certificate, key: other.privateKey });
    const { port } = await serveHttps(
      trial.server,
      (socket) => {
        connections += 1;
        if (connections === 1) {
          socket.end(ok);
          return;
        }
        expect(socket.isSessionReused()).toBe(true);
        socket.setKeyCert(context);
        socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => socket.write(ok));
      },
      { maxVersion: 'TLSv1.2', ca: trial.platformRoot.certificate, secureOptions },
    );
    expect((await trial.call(port, { destination })).body).toMatchObject({ status: 200 });
    const reply = await trial.again();
    expect(reply.body).toMatchObject({
      code: 'server-certificate-invalid',
      evidence: { reason: 'certificate-changed' },
    });
  });
});
