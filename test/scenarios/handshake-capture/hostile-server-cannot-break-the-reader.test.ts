// Bytes that no honest server sends: the reader stops and says why; it neither throws, nor hangs, nor keeps more than
// its limits.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { captureLimits, type HandshakeCapture, type Stopped } from '../../../core/tls/handshake-capture/capture.ts';
import { createCaptureReader } from '../../../core/tls/handshake-capture/capture-reader.ts';
import { readElements } from '../../../core/x509/der.ts';
import { readName, sameName } from '../../../core/x509/distinguished-name.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { record as recordFlight, replay } from '../../support/handshake-capture/record.ts';
import {
  applicationLabel,
  createSealer,
  extension,
  handshakeLabel,
  hello13,
  keyLogLine,
  message,
  number,
  record,
  serverHello,
  vector,
} from '../../support/handshake-capture/seal.ts';
import { startNode } from '../../support/handshake-capture/servers.ts';

const secret = Buffer.alloc(32, 0x11);
const lines = [keyLogLine(handshakeLabel, secret), keyLogLine(applicationLabel, Buffer.alloc(32, 0x22))];
const hello = record(22, serverHello(0x1301, hello13));
const emptyExtensions = message(8, vector(2));
const finished = message(20, Buffer.alloc(32));

/** A flight whose handshake messages are these, in sealed records. */
function sealed(...contents: readonly Buffer[]): Buffer {
  const seal = createSealer('TLS_AES_128_GCM_SHA256', secret);
  const pieces = contents.flatMap((content) => {
    const cut: Buffer[] = [];
    for (let at = 0; at < content.length; at += 16_384) cut.push(content.subarray(at, at + 16_384));
    return cut;
  });
  return Buffer.concat([hello, ...pieces.map((piece) => seal(22, piece))]);
}

function read(bytes: Buffer): HandshakeCapture {
  return replay(bytes, lines, 4096, true);
}

/** What must hold of every flight, whatever the bytes were. */
function expectBounded(capture: HandshakeCapture): void {
  expect(capture.stopped).toBeDefined();
  expect(capture.messages.length).toBeLessThanOrEqual(captureLimits.messages);
  expect(capture.alerts.length).toBeLessThanOrEqual(captureLimits.alerts);
  expect(capture.certificates.length).toBeLessThanOrEqual(captureLimits.certificates);
  expect(capture.request?.acceptableIssuers.length ?? 0).toBeLessThanOrEqual(captureLimits.issuers);
  const kept = [...capture.certificates, capture.stapledOcsp ?? Buffer.alloc(0)];
  for (const bytes of kept) expect(bytes.length).toBeLessThan(captureLimits.messageBytes);
  for (const { text } of capture.request?.acceptableIssuers ?? []) expect(text.length).toBeLessThan(520);
}

describe('malformed and oversized input', () => {
  const hello12 = message(2, number(0x0303, 2), Buffer.alloc(32), vector(1), number(0xc02f, 2), Buffer.of(0));
  const old = message(2, number(0x0302, 2), Buffer.alloc(32), vector(1), number(0x002f, 2), Buffer.of(0));
  const retry = serverHello(
    0x1301,
    hello13,
    Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
  );
  const changeCipherSpec = record(20, Buffer.of(1));
  const seal = () => createSealer('TLS_AES_128_GCM_SHA256', secret);

  it.each<[string, Buffer, Stopped]>([
    ['HTTP without TLS', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 'not-tls'],
    ['an SSH server', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'not-tls'],
    ['a record of another major version', Buffer.of(22, 4, 0, 0, 1, 0), 'not-tls'],
    ['a record longer than the protocol allows', Buffer.of(22, 3, 3, 0xff, 0xff), 'not-tls'],
    ['rubbish after a good record', Buffer.concat([hello, Buffer.from('rubbish')]), 'malformed'],
    ['application data first', record(23, Buffer.alloc(40)), 'malformed'],
    ['an alert of three bytes', record(21, Buffer.of(2, 40, 0)), 'malformed'],
    ['a message before the ServerHello', record(22, emptyExtensions), 'malformed'],
    ['a ServerHello cut short inside', record(22, message(2, Buffer.alloc(20))), 'malformed'],
    [
      'a ServerHello with bytes after its fields',
      record(22, message(2, hello12.subarray(4), Buffer.of(0, 0, 1))),
      'malformed',
    ],
    ['two HelloRetryRequests', record(22, Buffer.concat([retry, retry])), 'malformed'],
    ['two ServerHellos', record(22, Buffer.concat([hello12, hello12])), 'malformed'],
    ['TLS 1.1', record(22, old), 'unsupported-protocol'],
    ['a cipher suite of TLS 1.3 from the future', record(22, serverHello(0x13ff, hello13)), 'unsupported-cipher'],
    [
      'a message in the clear after the keys changed',
      record(22, Buffer.concat([serverHello(0x1301, hello13), emptyExtensions])),
      'malformed',
    ],
    [
      'half a message in the clear after the keys changed',
      record(22, Buffer.concat([serverHello(0x1301, hello13), Buffer.of(8)])),
      'malformed',
    ],
    ['a handshake record in the clear later', Buffer.concat([hello, record(22, emptyExtensions)]), 'malformed'],
    ['a record shorter than its tag', Buffer.concat([hello, record(23, Buffer.alloc(15))]), 'undecryptable'],
    ['a record that was changed', Buffer.concat([hello, record(23, Buffer.alloc(60))]), 'undecryptable'],
    ['a record of nothing but padding', Buffer.concat([hello, seal()(0, Buffer.alloc(0), 50)]), 'malformed'],
    ['application data before Finished', Buffer.concat([hello, seal()(23, Buffer.from('GET'))]), 'malformed'],
    ['bytes after Finished in its record', sealed(Buffer.concat([finished, Buffer.of(4)])), 'malformed'],
    ['a message longer than the limit', sealed(Buffer.of(11, 0x02, 0, 1)), 'too-long'],
    ['more certificates than are kept', sealed(certificates(captureLimits.certificates + 1)), 'closed'],
    [
      'more issuers than the limit',
      sealed(request(extension(47, vector(2, Buffer.alloc(2 * (captureLimits.issuers + 1)))))),
      'too-long',
    ],
    ['a certificate list that overruns', sealed(message(11, vector(1), number(9, 3), number(9, 3))), 'malformed'],
    ['a request with half an algorithm', sealed(request(extension(13, vector(2, Buffer.alloc(3))))), 'malformed'],
    [
      'a request with an extension that overruns',
      sealed(message(13, vector(1), vector(2, number(13, 2), number(9, 2)))),
      'malformed',
    ],
    [
      'a half message before ChangeCipherSpec',
      Buffer.concat([record(22, Buffer.concat([hello12, Buffer.of(11)])), changeCipherSpec]),
      'malformed',
    ],
    [
      'an elliptic curve without a name',
      record(22, Buffer.concat([hello12, message(12, Buffer.of(1, 0, 23, 0))])),
      'malformed',
    ],
    [
      'endless empty records',
      Buffer.concat(Array.from({ length: 120_000 }, () => record(20, Buffer.alloc(0)))),
      'too-long',
    ],
  ])('%s', (_title, bytes, stopped) => {
    const capture = read(bytes);
    expect(capture.stopped).toBe(stopped);
    expectBounded(capture);
  });

  it('keeps that the server requested a certificate although the request is malformed', () => {
    expect(read(sealed(emptyExtensions, request(Buffer.of(1))))).toMatchObject({ asked: true, request: undefined });
  });

  it.each([
    ['many bytes', 16_000, Math.ceil(captureLimits.totalBytes / 16_005)],
    ['many records', 17, captureLimits.waitingRecords + 1],
  ])('limits what it buffers while a secret is missing: %s', (_title, length, count) => {
    const reader = createCaptureReader();
    reader.push(hello);
    for (let sent = 1; sent < count; sent += 1) reader.push(record(23, Buffer.alloc(length)));
    expect(reader.capture.stopped).toBeUndefined();
    reader.push(record(23, Buffer.alloc(length)));
    expect(reader.capture).toMatchObject({ stopped: 'too-long', messages: ['server_hello'] });
  });

  it('counts issuers beyond the listed ones', () => {
    const warnings = Array.from({ length: 40 }, () => record(21, Buffer.of(1, 90)));
    const nothing = Array.from({ length: 200 }, () => record(22, message(0)));
    const capture = read(Buffer.concat([...warnings, ...nothing]));
    expect(capture).toMatchObject({ stopped: 'closed' });
    expect(capture.alerts).toHaveLength(captureLimits.alerts);
    expect(capture.messages).toHaveLength(captureLimits.messages);
  });

  it('ignores lines that are not key log lines', () => {
    const reader = createCaptureReader();
    reader.push(sealed(emptyExtensions, finished));
    for (const line of [
      '',
      '\n',
      handshakeLabel,
      `${handshakeLabel} 00 00`,
      `${handshakeLabel} ${'0'.repeat(64)} ${'g'.repeat(64)}`,
    ]) {
      reader.secret(Buffer.from(line));
    }
    reader.secret(keyLogLine(handshakeLabel, Buffer.alloc(20)));
    reader.secret(keyLogLine('CLIENT_HANDSHAKE_TRAFFIC_SECRET', secret));
    expect(reader.capture.messages).toEqual(['server_hello']);
    reader.secret(keyLogLine(handshakeLabel, secret));
    expect(reader.capture.finished).toBe(true);
  });

  it('reads nothing after it is closed', () => {
    const reader = createCaptureReader();
    const bytes = sealed(emptyExtensions, finished);
    reader.push(bytes.subarray(0, hello.length));
    reader.close();
    reader.push(bytes.subarray(hello.length));
    reader.secret(keyLogLine(handshakeLabel, secret));
    expect(reader.capture).toMatchObject({ messages: ['server_hello'], stopped: 'closed' });
  });
});

function request(...extensions: readonly Buffer[]): Buffer {
  return message(13, vector(1), vector(2, ...extensions));
}

function certificates(count: number): Buffer {
  const entry = Buffer.concat([vector(3, Buffer.alloc(5)), vector(2)]);
  return message(11, vector(1), vector(3, ...Array<Buffer>(count).fill(entry)));
}

describe('random input never throws', () => {
  const authority = createAuthority({ commonName: 'Root' });
  const server = authority.issue({ commonName: 'localhost' });
  const seeds: { readonly bytes: Buffer; readonly lines: readonly Buffer[] }[] = [];
  /**
   * The messages of a sealed flight, to be changed before they are sealed: behind the protection is where the parsers
   * are.
   */
  const plain = [
    message(8, vector(2, extension(16, vector(2, vector(1, Buffer.from('h2')))))),
    request(extension(13, vector(2, number(0x0403, 2))), extension(47, vector(2, vector(2, subject())))),
    message(
      11,
      vector(1),
      vector(3, vector(3, Buffer.alloc(50)), vector(2, extension(5, Buffer.of(1), vector(3, Buffer.alloc(9))))),
    ),
    message(15, number(0x0403, 2), vector(2, Buffer.alloc(70))),
    finished,
  ];

  /** C=US, O=Acme */
  function subject(): Buffer {
    return Buffer.from('301c310b3009060355040613025553310d300b060355040a0c0441636d65', 'hex');
  }

  beforeAll(async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const running = await startNode({
        cert: server.certificate,
        key: server.privateKey,
        ca: authority.certificate,
        requestCert: true,
        maxVersion,
      });
      seeds.push(await recordFlight(running.port, { cert: server.certificate, key: server.privateKey, request: 'x' }));
      await running.stop();
    }
  });

  const change = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('set', 'flip', 'cut', 'insert', 'repeat'),
    value: fc.nat(255),
    length: fc.integer({ min: 1, max: 40 }),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 6 });

  function changed(
    bytes: Buffer,
    list: readonly { at: number; kind: string; value: number; length: number }[],
  ): Buffer {
    let result = Buffer.from(bytes);
    for (const { at, kind, value, length } of list) {
      const place = at % (result.length + 1);
      if (kind === 'set' && place < result.length) result[place] = value;
      if (kind === 'flip' && place < result.length) result[place] = (result[place] ?? 0) ^ (1 << (value & 7));
      if (kind === 'cut') result = Buffer.concat([result.subarray(0, place), result.subarray(place + length)]);
      const inserted = kind === 'insert' ? Buffer.alloc(length, value) : result.subarray(place, place + length);
      if (kind === 'insert' || kind === 'repeat') {
        result = Buffer.concat([result.subarray(0, place), inserted, result.subarray(place)]);
      }
    }
    return result;
  }

  it('a recorded flight with some bytes changed', () => {
    for (const seed of seeds) {
      fc.assert(
        fc.property(changes, fc.integer({ min: 1, max: 5000 }), fc.boolean(), (list, chunk, linesFirst) => {
          expectBounded(replay(changed(seed.bytes, list), seed.lines, chunk, linesFirst));
        }),
        { numRuns: 3000 },
      );
    }
  });

  it('messages changed before encryption', () => {
    fc.assert(
      fc.property(changes, (list) => {
        const content = changed(Buffer.concat(plain), list);
        expectBounded(read(sealed(content.subarray(0, 300), content.subarray(300))));
      }),
      { numRuns: 5000 },
    );
  });

  it('any message with any body', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.uint8Array({ maxLength: 200 }), fc.boolean(), (type, body, as12) => {
        const made = message(type, Buffer.from(body));
        const hello12 = message(2, number(0x0303, 2), Buffer.alloc(32), vector(1), number(0xc02f, 2), Buffer.of(0));
        expectBounded(read(as12 ? record(22, Buffer.concat([hello12, made])) : sealed(made)));
      }),
      { numRuns: 5000 },
    );
  });

  it('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => expectBounded(read(Buffer.from(bytes)))),
      { numRuns: 2000 },
    );
  });

  it('names with some bytes changed, and any bytes as names', () => {
    const name = subject();
    fc.assert(
      fc.property(changes, fc.uint8Array({ maxLength: 100 }), (list, other) => {
        const made = changed(name, list);
        expect(readName(made).text.length).toBeLessThan(520);
        expect(readName(made).text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(sameName(made, made)).toBe(true);
        readElements(Buffer.from(other), 50);
        readName(Buffer.from(other));
      }),
      { numRuns: 5000 },
    );
  });

  it('a large flight in single bytes takes linear time', () => {
    const large = sealed(
      emptyExtensions,
      message(11, vector(1), vector(3, vector(3, randomBytes(120_000)), vector(2))),
    );
    const capture = replay(large, lines, 1, true);
    expect(capture.certificates[0]).toHaveLength(120_000);
  });
});
