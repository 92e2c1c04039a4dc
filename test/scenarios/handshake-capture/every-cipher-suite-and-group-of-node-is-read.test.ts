// One handshake under every cipher suite and every group that Node can negotiate; Node's own words are the other
// opinion.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect, getCiphers } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { record } from '../../support/handshake-capture/record.ts';
import { type RunningServer, startNode } from '../../support/handshake-capture/servers.ts';

const root = createAuthority({ commonName: 'Root' });
const ec = root.issue({ commonName: 'localhost' });
const rsa = root.issue({ commonName: 'localhost', keyAlgorithm: 'RSA_2048' });
const client = { cert: ec.certificate, key: ec.privateKey, request: 'GET / HTTP/1.0\r\n\r\n' };

/** Beside what getCiphers names, HIGH has CCM and ARIA. No PSK and no SRP: those use no certificates. */
const named = getCiphers().filter((name) => !/psk|srp|tls_/.test(name));
const more =
  'AES128-CCM AES256-CCM ECDHE-ECDSA-AES128-CCM DHE-RSA-AES256-CCM ARIA128-GCM-SHA256 ECDHE-ARIA256-GCM-SHA384';
const suites12 = [...named, ...more.split(' ')].map((name) => name.toUpperCase());
const suites13 = getCiphers()
  .filter((name) => name.startsWith('tls_'))
  .map((name) => name.toUpperCase());

/** CCM_8, whose tags are short, is below the level that is the default. */
const anyLevel = '@SECLEVEL=0';

let server: RunningServer;

beforeAll(async () => {
  server = await startNode({
    cert: [ec.certificate, rsa.certificate],
    key: [ec.privateKey, rsa.privateKey],
    ca: root.certificate,
    requestCert: true,
    dhparam: 'auto',
    ciphers: [...suites13, 'HIGH', anyLevel].join(':'),
    ecdhCurve: 'X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:X25519:X448:P-256:P-384:P-521',
  });
});
afterAll(() => server.stop());

describe('a handshake with a certificate request is read', () => {
  it.each([...suites13, ...suites12])('under %s', async (suite) => {
    const is13 = suite.startsWith('TLS_');
    const { capture, node } = await record(server.port, {
      ...client,
      ciphers: `${suite}:${is13 ? 'HIGH:' : ''}${anyLevel}`,
      minVersion: is13 ? 'TLSv1.3' : 'TLSv1.2',
      maxVersion: is13 ? 'TLSv1.3' : 'TLSv1.2',
    });
    expect(node).toBeDefined();
    expect(capture).toMatchObject({ protocol: node?.protocol, cipher: node?.cipher, asked: true, finished: true });
    expect(capture.keyExchange?.toLowerCase()).toBe(
      node?.keyExchange?.toLowerCase().replace('prime256v1', 'secp256r1'),
    );
    expect(capture.request?.acceptableIssuers.map((name) => name.text)).toEqual(['CN=Root']);
    expect(capture.certificates).toEqual(node?.chain);
    expect(capture.stopped).toBe('application-data');
  });

  it.each([
    ['X25519MLKEM768', 'X25519MLKEM768'],
    ['SecP256r1MLKEM768', 'SecP256r1MLKEM768'],
    ['SecP384r1MLKEM1024', 'SecP384r1MLKEM1024'],
    ['X25519', 'x25519'],
    ['X448', 'x448'],
    ['P-256', 'secp256r1'],
    ['P-384', 'secp384r1'],
    ['P-521', 'secp521r1'],
  ])('over the group %s', async (ecdhCurve, name) => {
    const { capture } = await record(server.port, { ...client, ecdhCurve });
    expect(capture).toMatchObject({ keyExchange: name, helloRetryRequest: false, asked: true, finished: true });
  });

  it('over a group of the second choice, after a HelloRetryRequest', async () => {
    const picky = await startNode({ cert: ec.certificate, key: ec.privateKey, requestCert: true, ecdhCurve: 'P-521' });
    try {
      const { capture } = await record(picky.port, { ...client, ecdhCurve: 'X25519MLKEM768:X25519:P-521' });
      expect(capture).toMatchObject({ keyExchange: 'secp521r1', helloRetryRequest: true, asked: true, finished: true });
      expect(capture.request?.acceptableIssuers).toEqual([]);
    } finally {
      await picky.stop();
    }
  });
});

describe("Node's ClientHello", () => {
  it('offers no compressed certificates, which the reader could not read (RFC 8879)', async () => {
    const types = await clientHelloExtensions();
    expect(types).toContain(43);
    expect(types).not.toContain(27);
  });
});

/** The types of the extensions of a ClientHello (RFC 8446, section 4.1.2), taken by a server that speaks no TLS. */
async function clientHelloExtensions(): Promise<number[]> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  const [peer] = (await once(listener, 'connection')) as [Socket];
  const chunks: Buffer[] = [];
  while (Buffer.concat(chunks).length < 5 || Buffer.concat(chunks).length < 5 + Buffer.concat(chunks).readUInt16BE(3)) {
    chunks.push(((await once(peer, 'data')) as [Buffer])[0]);
  }
  socket.destroy();
  peer.destroy();
  listener.close();
  const hello = Buffer.concat(chunks);
  let at = 5 + 4 + 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  const types: number[] = [];
  for (at += 2; at < hello.length; at += 4 + hello.readUInt16BE(at + 2)) types.push(hello.readUInt16BE(at));
  return types;
}
