// Records that a server sends after the handshake, in place of a response, are not access: a call fails there.
import { describe, expect, it } from 'vitest';
import { findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveRecordsAfterTheHandshake } from '../../support/handshake-capture/records-after-the-handshake.ts';
import { record } from '../../support/handshake-capture/seal.ts';
import { serveHttps } from '../../support/servers.ts';

const trial = useDiagnosing();
const soon = { request: { timeoutMs: 700 } };
const quiet = { request: { probe: false } };
const unreadable = record(23, Buffer.alloc(64, 0xaa));

describe.each([
  ['a record that cannot be decrypted', () => unreadable],
  ['bytes that are no record', () => Buffer.alloc(40, 0xaa)],
  ['a certificate request', (seal: (type: number, content: Buffer) => Buffer) => seal(22, Buffer.of(13, 0, 0, 0))],
])('%s after a session ticket', (_name, records) => {
  it.each([{}, quiet])('is unknown, with a probe and without', async (options) => {
    const { port } = await serveRecordsAfterTheHandshake(trial.server, { tickets: true, records });
    const diagnosis = await trial.diagnose(port, options);
    expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'inferred' });
    expect(statuses(diagnosis)).toBe('passed passed passed passed failed');
    expect(findings(diagnosis).at(-1)).toMatchObject({ code: 'response-incomplete', severity: 'failure' });
    expect(diagnosis.remedies).toMatchObject([
      { who: 'customer', do: expect.stringMatching(/^Check in the log of the API/) },
    ]);
  });
});

it.each([true, false])('application data without content is no response, with tickets: %s', async (tickets) => {
  const { port } = await serveRecordsAfterTheHandshake(trial.server, {
    tickets,
    records: (seal) => seal(23, Buffer.alloc(0)),
  });
  const diagnosis = await trial.diagnose(port, soon);
  expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'inferred' });
  const withoutRequest = await trial.diagnose(port, quiet);
  expect(withoutRequest.verdict).toBe(tickets ? 'access-granted' : 'access-unknown');
});

// Anyone on the path can insert it; OpenSSL ends the connection over it.
it.each([
  [true, 'access-unknown'],
  [false, 'access-refused'],
])('an alert in the clear after Finished is not read, with tickets: %s', async (tickets, verdict) => {
  const records = () => record(21, Buffer.of(2, 48));
  const { port } = await serveRecordsAfterTheHandshake(trial.server, { tickets, records });
  const diagnosis = await trial.diagnose(port);
  expect(diagnosis).toMatchObject({ verdict, certainty: 'inferred' });
  expect(findings(diagnosis).at(-1)?.evidence).not.toHaveProperty('alert');
});

// nginx judges the head of a request before the certificate.
it.each([408, 414, 431])('%d shows only a finished handshake', async (status) => {
  const head = `HTTP/1.1 ${status} Some\r\ncontent-length: 0\r\n\r\n`;
  const { port } = await serveHttps(trial.server, (socket) => socket.write(head));
  expect(await trial.diagnose(port)).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
});
