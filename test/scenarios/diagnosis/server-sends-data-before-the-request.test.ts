// Some servers answer before a request came; what they say then is heard, on TLS 1.3 too, where it comes with the
// tickets.
import { createServer } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveTls } from '../../support/servers.ts';

const trial = useDiagnosing();

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  const strict = { maxVersion, rejectUnauthorized: true, ca: trial.platformRoot.certificate };

  it('a response before the request is reported', async () => {
    const early = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n';
    const { port } = await serveTls(trial.server, (socket) => socket.write(early), strict);
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'inferred', probe: { status: 400 } });
    expect(codes(diagnosis)).toEqual(['probe-unexpected-status']);
  });

  it('bytes before the request that are not a response are reported', async () => {
    const { port } = await serveTls(trial.server, (socket) => socket.write('nonsense\r\n\r\n'), strict);
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
    expect(statuses(diagnosis)).toBe('passed passed passed passed warning');
    expect(findings(diagnosis).at(-1)).toMatchObject({ code: 'response-malformed', severity: 'warning' });
  });

  it('HTTP/2 without ALPN gets the remedy to offer HTTP/1.1', async () => {
    const behind = createServer();
    await new Promise<void>((done) => behind.listen(0, '127.0.0.1', () => done()));
    onTestFinished(() => void behind.close());
    const { port } = await serveTls(
      trial.server,
      (socket) => {
        const plain = connect((behind.address() as AddressInfo).port, '127.0.0.1');
        socket.pipe(plain).pipe(socket);
        plain.on('error', () => socket.destroy()).on('close', () => socket.destroy());
        socket.on('error', () => plain.destroy()).on('close', () => plain.destroy());
      },
      strict,
    );
    const diagnosis = await trial.diagnose(port);
    expect(findings(diagnosis).at(-1)).toMatchObject({
      code: 'response-malformed',
      evidence: { reason: 'http2-only' },
    });
    expect(diagnosis.remedies).toMatchObject([{ who: 'customer', do: expect.stringMatching(/^Offer HTTP\/1\.1 for/) }]);
  });
});
