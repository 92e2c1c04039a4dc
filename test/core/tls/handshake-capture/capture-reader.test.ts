// One flight, cut into records in every way that RFC 8446 allows, under every cipher suite: what it says does not
// change.
import { describe, expect, it } from 'vitest';
import { createCaptureReader } from '../../../../core/tls/handshake-capture/capture-reader.ts';
import { replay } from '../../../support/handshake-capture/record.ts';
import {
  applicationLabel,
  createSealer,
  expand,
  extension,
  handshakeLabel,
  hello13,
  keyLogLine,
  message,
  number,
  record,
  type SuiteName,
  serverHello,
  suites,
  vector,
} from '../../../support/handshake-capture/seal.ts';

const name = Buffer.from('300d310b3009060355040313024341', 'hex');
const certificates = [Buffer.alloc(900, 1), Buffer.alloc(20_000, 2)];
const staple = Buffer.alloc(300, 3);
const messages = [
  message(8, vector(2, extension(16, vector(2, vector(1, Buffer.from('http/1.1')))), extension(0))),
  message(
    13,
    vector(1),
    vector(
      2,
      extension(13, vector(2, number(0x0403, 2), number(0x0904, 2), number(0xfefe, 2))),
      extension(50, vector(2, number(0x0401, 2))),
      extension(47, vector(2, vector(2, name))),
      extension(48, vector(2)),
      extension(0xfafa),
    ),
  ),
  message(
    11,
    vector(1),
    vector(
      3,
      vector(3, certificates[0] as Buffer),
      vector(2, extension(5, Buffer.of(1), vector(3, staple))),
      vector(3, certificates[1] as Buffer),
      vector(2, extension(5, Buffer.of(1), vector(3, Buffer.alloc(9)))),
    ),
  ),
  message(15, number(0x0805, 2), vector(2, Buffer.alloc(256))),
  message(20, Buffer.alloc(32)),
];
const whole = Buffer.concat(messages);

/** Each cuts the handshake bytes into the contents of records. */
const shapes: Readonly<
  Record<string, { readonly pieces: readonly Buffer[]; readonly padding?: number; readonly dummy?: boolean }>
> = {
  'one message a record, the large one split': {
    pieces: messages.flatMap((bytes) => cut(bytes, 16_000)),
  },
  'coalesced as full as records go': { pieces: cut(whole, 16_384) },
  'a few bytes a record, across every header': { pieces: cut(whole, 23) },
  'with padding': { pieces: cut(whole, 5000), padding: 700 },
  'with a ChangeCipherSpec for middleboxes before each record': { pieces: cut(whole, 4000), dummy: true },
};

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

function secretsOf(suite: SuiteName): [handshake: Buffer, application: Buffer] {
  const length = suites[suite].hash === 'sha256' ? 32 : 48;
  return [Buffer.alloc(length, 0x11), Buffer.alloc(length, 0x22)];
}

const changeCipherSpec = record(20, Buffer.of(1));
const retry = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');

function flightBytes(suite: SuiteName, shape: (typeof shapes)[string], retried: boolean): Buffer {
  const [handshake, application] = secretsOf(suite);
  const { code } = suites[suite];
  const seal = createSealer(suite, handshake);
  const sealAfter = createSealer(suite, application);
  const sealUpdated = createSealer(suite, expand(suites[suite].hash, application, 'traffic upd', application.length));
  const hrr = serverHello(code, [extension(43, number(0x0304, 2)), extension(51, number(0x0018, 2))], retry);
  return Buffer.concat([
    ...(retried ? [record(22, hrr), changeCipherSpec] : []),
    record(22, serverHello(code, hello13)),
    ...shape.pieces.flatMap((piece) => [
      ...(shape.dummy ? [changeCipherSpec] : []),
      seal(22, piece, shape.padding ?? 0),
    ]),
    sealAfter(22, message(4, Buffer.alloc(60))),
    sealAfter(22, message(24, Buffer.of(0))),
    sealUpdated(21, Buffer.of(2, 48)),
  ]);
}

const expected = {
  protocol: 'TLSv1.3',
  keyExchange: 'x25519',
  resumed: false,
  alpn: 'http/1.1',
  certificates,
  stapledOcsp: staple,
  signatureAlgorithm: 'rsa_pss_rsae_sha384',
  asked: true,
  request: {
    acceptableIssuers: [{ der: name, text: 'CN=CA' }],
    signatureAlgorithms: ['ecdsa_secp256r1_sha256', 'mldsa44', '0xfefe'],
    certificateSignatureAlgorithms: ['rsa_pkcs1_sha256'],
    certificateTypes: [],
  },
  finished: true,
  alerts: [{ level: 'fatal', description: 'unknown_ca', code: 48, encrypted: true, afterFinished: true }],
  stopped: 'closed',
};
const after = ['finished', 'new_session_ticket', 'key_update'];
const names = ['server_hello', 'encrypted_extensions', 'certificate_request', 'certificate', 'certificate_verify'];

describe.each(Object.keys(suites) as SuiteName[])('%s', (suite) => {
  const [handshake, application] = secretsOf(suite);
  const lines = [keyLogLine(handshakeLabel, handshake), keyLogLine(applicationLabel, application)];

  it.each(Object.entries(shapes))('%s', (_title, shape) => {
    for (const retried of [false, true]) {
      const bytes = flightBytes(suite, shape, retried);
      for (const [chunk, linesFirst] of [
        [bytes.length, true],
        [1460, false],
      ] as const) {
        const capture = replay(bytes, lines, chunk, linesFirst);
        expect(capture).toMatchObject({ ...expected, cipher: suite, helloRetryRequest: retried });
        expect(capture.messages).toEqual([...(retried ? ['server_hello'] : []), ...names, ...after]);
      }
    }
  });

  it('reports how far the handshake got if the server closes in the middle', () => {
    const seal = createSealer(suite, handshake);
    const reader = createCaptureReader();
    reader.secret(lines[0] as Buffer);
    reader.push(record(22, serverHello(suites[suite].code, hello13)));
    reader.push(seal(22, messages[0] as Buffer));
    reader.push(seal(21, Buffer.of(2, 80)));
    expect(reader.capture).toMatchObject({ asked: undefined, finished: false, request: undefined, stopped: undefined });
    expect(reader.capture.messages).toEqual(['server_hello', 'encrypted_extensions']);
    expect(reader.capture.alerts).toMatchObject([
      { description: 'internal_error', encrypted: true, afterFinished: false },
    ]);
  });
});

describe('a compressed certificate', () => {
  it('is reported and skipped: OpenSSL in Node never offers it', () => {
    const [handshake] = secretsOf('TLS_AES_128_GCM_SHA256');
    const seal = createSealer('TLS_AES_128_GCM_SHA256', handshake);
    const bytes = Buffer.concat([
      record(22, serverHello(0x1301, hello13)),
      seal(
        22,
        Buffer.concat([messages[0] as Buffer, message(25, number(2, 2), number(999, 3), vector(3, Buffer.alloc(40)))]),
      ),
      seal(22, Buffer.concat(messages.slice(3))),
    ]);
    const capture = replay(bytes, [keyLogLine(handshakeLabel, handshake)], bytes.length, true);
    expect(capture).toMatchObject({ asked: false, certificates: [], finished: true, stopped: 'closed' });
    expect(capture.messages).toContain('compressed_certificate');
  });
});
