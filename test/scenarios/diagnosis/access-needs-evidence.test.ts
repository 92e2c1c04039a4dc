// Granted needs evidence: a ticket, Finished of TLS 1.2, or an HTTP answer; silence, a stall and 421 do not count.
import { describe, expect, it } from 'vitest';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveBetween, serveHttps } from '../../support/servers.ts';

const trial = useDiagnosing();
const ours = trial.platformRoot.certificate;
const theirs = trial.customerRoot.certificate;
const quiet = { request: { probe: false } };

function answering(status: number, options: object = {}) {
  const head = `HTTP/1.1 ${status} Some\r\ncontent-length: 0\r\n\r\n`;
  return serveHttps(trial.server, (socket) => socket.write(head), { ca: ours, ...options });
}

describe.each([
  ['TLSv1.2', 'handshake-timeout'],
  ['TLSv1.3', 'response-timeout'],
] as const)('over %s', (maxVersion, code) => {
  it('a server that hangs after it received the client certificate fails step 5', async () => {
    const api = await serveHttps(trial.server, () => {}, { maxVersion });
    const { port } = await serveBetween(api.port, (bytes, { clientTurns }) =>
      clientTurns < 2 ? bytes : bytes.subarray(0, 0),
    );
    const diagnosis = await trial.diagnose(port, { request: { timeoutMs: 700 } });
    expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'inferred' });
    expect(statuses(diagnosis)).toBe('passed passed passed passed failed');
    expect(findings(diagnosis)).toMatchObject([{ code, severity: 'failure', certainty: 'inferred' }]);
    expect(diagnosis.remedies).toMatchObject([{ who: 'customer', do: expect.stringContaining('OCSP') }]);
  });

  it('a server that never requested the certificate and hangs ends at step 4', async () => {
    const { port } = await serveHttps(trial.server, () => {}, { maxVersion, requestCert: false });
    const diagnosis = await trial.diagnose(port, { request: { timeoutMs: 700 } });
    expect(diagnosis.verdict).toBe('not-mutual');
  });

  // nginx asks its OCSP responder behind the handshake, so that this looks like a slow API.
  it('no response to the request behind a finished handshake is not access', async () => {
    const { port } = await serveHttps(trial.server, () => {}, { maxVersion, ca: ours });
    const diagnosis = await trial.diagnose(port, { request: { timeoutMs: 700 } });
    expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'inferred' });
    expect(statuses(diagnosis)).toBe('passed passed passed passed failed');
    expect(codes(diagnosis)).toEqual(['client-certificate-accepted', 'response-timeout']);
    expect(diagnosis.remedies).toMatchObject([
      { who: 'customer', do: expect.stringContaining('OCSP') },
      { who: 'caller', do: expect.stringMatching(/^If the API only needs more time.*--timeout/) },
    ]);
  });

  describe('status 421', () => {
    it.each([
      ['a host name', {}, 'platform', /^Set the serverName of the destination to the name under which/, {}],
      [
        'a serverName',
        { destination: { serverName: 'localhost' }, host: '127.0.0.1' },
        'platform',
        /^Set the serverName of the destination to the name under which/,
        {},
      ],
      [
        'an address',
        { host: '127.0.0.1' },
        'platform',
        /a call to an address has no server name/,
        { site: '127.0.0.1', reason: 'no-server-name' },
      ],
    ] as const)('with %s means neither granted nor rejected', async (_name, options, who, words, more) => {
      const { port } = await answering(421, { maxVersion });
      const diagnosis = await trial.diagnose(port, options);
      expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'observed', probe: { status: 421 } });
      expect(statuses(diagnosis)).toBe('passed passed passed passed unknown');
      expect(findings(diagnosis)).toMatchObject([{ code: 'misdirected-request' }]);
      expect(findings(diagnosis)[0]?.evidence).toEqual({ status: 421, site: 'localhost', ...more });
      expect(diagnosis.remedies.map((remedy) => remedy.who)).toEqual([who, 'customer']);
      expect(diagnosis.remedies[0]?.do).toMatch(words);
    });

    it('of a server that requests no certificate is reported as the answer of another site', async () => {
      const { port } = await answering(421, { maxVersion, requestCert: false });
      const diagnosis = await trial.diagnose(port);
      expect(diagnosis).toMatchObject({ verdict: 'not-mutual', certainty: 'inferred' });
      expect(diagnosis.steps[4]?.status).toBe('unknown');
      expect(codes(diagnosis)).toEqual(['client-certificate-not-requested', 'misdirected-request']);
    });

    it('never means access, even if the probe of a destination expects it', async () => {
      const { port } = await answering(421, { maxVersion });
      const diagnosis = await trial.diagnose(port, { destination: { probe: { path: '/', expectStatus: 421 } } });
      expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'observed' });
    });
  });

  it.each([
    [401, 'access-refused'],
    [403, 'access-refused'],
    [404, 'access-granted'],
    [405, 'access-granted'],
    [429, 'access-granted'],
  ])('%d from a server that does not list our issuer means %s, inferred', async (status, verdict) => {
    const { port } = await answering(status, { maxVersion, ca: theirs });
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict, certainty: 'inferred', client: { issuerAccepted: false } });
  });
});

describe.skipIf(!findPeer('openssl'))('openssl without tickets (needs openssl)', () => {
  const args = ['-tls1_3', '-num_tickets', '0'];

  it('sends nothing without a request', async () => {
    const { port } = await startOpenssl(trial.server, { clientRoots: ours, args });
    const diagnosis = await trial.diagnose(port, quiet);
    expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'inferred', remedies: [] });
    expect(statuses(diagnosis)).toBe('passed passed passed passed unknown');
    expect(codes(diagnosis)).toEqual(['not-probed']);
  });

  it('grants access with its response, or rejects with an alert', async () => {
    const { port } = await startOpenssl(trial.server, { clientRoots: ours, args });
    expect(await trial.diagnose(port)).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
    const refusing = await startOpenssl(trial.server, { clientRoots: theirs, args });
    expect(await trial.diagnose(refusing.port, quiet)).toMatchObject({
      verdict: 'access-refused',
      certainty: 'observed',
    });
  });
});

describe.skipIf(!findPeer('nginx'))('nginx with several sites (needs nginx)', () => {
  it('answers for the serverName, which is used as SNI and Host', async () => {
    const directives =
      'server_name localhost; if ($host != localhost) { return 421; } if ($http_host != "localhost:$server_port") { return 418; }';
    const { port } = await startNginx(trial.server, { clientRoots: ours, directives });
    const options = { host: '127.0.0.1', destination: { serverName: 'localhost' } };
    const diagnosis = await trial.diagnose(port, options);
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'observed', probe: { status: 200 } });
    // Without serverName SNI is absent and Host is the address.
    expect(await trial.diagnose(port, { host: '127.0.0.1' })).toMatchObject({
      verdict: 'access-unknown',
      probe: { status: 421 },
    });
  });
});
