// Every way in which a server of step-ca or EST can fail, with its code; no key, password or token and no answer is
// quoted.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CountersignError } from '../../../core/errors.ts';
import { estIssuer } from '../../../core/issuers/est.ts';
import { stepCaIssuer } from '../../../core/issuers/step-ca.ts';
import { type Authority, createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { type CurrentIdentity, failureOf, orderOf, user } from '../../support/issuers/orders.ts';
import { createProvisioner, type StepCaProvisioner } from '../../support/issuers/smallstep.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps, serveTcp } from '../../support/servers.ts';

type Fault = (socket: TLSSocket, head: string) => void;
type Protocol = 'step-ca' | 'EST';

interface Way {
  readonly protocol: Protocol;
  readonly isRenewal: boolean;
}

const ways: readonly Way[] = (['step-ca', 'EST'] as const).flatMap((protocol) =>
  [false, true].map((isRenewal) => ({ protocol, isRenewal })),
);
const openssl = findPeer('openssl');
const echo = 'what the server says';

let root: Authority;
let server: IssuedCertificate;
let current: CurrentIdentity;
let provisioner: StepCaProvisioner;
/** What a sound server answers, by protocol: its authorities, and a certificate that was signed. */
let sound: Record<Protocol, { readonly authorities: string; readonly signed: string }>;

beforeAll(async () => {
  root = createAuthority({ commonName: 'Issuer root' });
  server = root.issue({ commonName: 'localhost', names: ['localhost'], usage: 'server' });
  const { certificate, privateKey } = root.issue({ commonName: 'countersign-platform', names: ['bot.example'] });
  current = { certificate, privateKey, intermediateCertificates: '', rootCertificate: root.certificate };
  provisioner = await createProvisioner();
  sound = {
    'step-ca': {
      authorities: JSON.stringify({ crts: [root.certificate] }),
      signed: JSON.stringify({ crt: certificate, ca: root.certificate, certChain: [certificate, root.certificate] }),
    },
    EST: { authorities: pkcs7(root.certificate), signed: pkcs7(certificate) },
  };
});

describe.skipIf(!openssl).each(ways)('$protocol, renewal: $isRenewal (needs openssl)', (way) => {
  const { protocol, isRenewal } = way;

  it('(a sound server is used as it stands here)', async () => {
    const { port } = await faulty(way, (socket) => reply(socket, 200, sound[protocol].signed));
    expect((await issue(way, { port })).certificates).toContain(current.certificate.trim());
  });

  describe.each(['for its authorities', 'for a signature'] as const)('asked %s', (stage) => {
    const failed = async (fault: Fault, at: Partial<At> = {}) => {
      const { port } = await faulty(way, fault, stage);
      return failureOf(issue(way, { port, ...at }), secrets());
    };

    it.each([
      [401, 'issuer-refused'],
      [403, 'issuer-refused'],
      [400, 'issuer-refused'],
      [408, 'issuer-unavailable'],
      [429, 'issuer-unavailable'],
      [500, 'issuer-unavailable'],
      [503, 'issuer-unavailable'],
    ] as const)('it answers HTTP %i: %s', async (status, code) => {
      // step-ca's authorities have a substitute, the roots of the settings, when they are refused.
      const isSubstituted = protocol === 'step-ca' && stage === 'for its authorities' && code === 'issuer-refused';
      const { port } = await faulty(way, (socket, head) => reply(socket, status, `${echo} ${head}`), stage);
      const issued = issue(way, { port });
      if (isSubstituted) return expect((await issued).certificates).toContain(root.certificate.trim());
      const error = await failureOf(issued, secrets());
      expect(error).toMatchObject({ code, evidence: { reason: `http-${status}` } });
    });

    it.each([
      ['garbage', () => randomBytes(2_000)],
      ['a page of HTML', () => `<html><body>${echo}</body></html>`],
      ['nothing', () => ''],
      ['JSON of another kind', () => JSON.stringify({ message: echo })],
      ['the first half of its answer', () => half(soundAt(protocol, stage))],
      ['a certificate with a byte that is not its own', () => damaged(protocol)],
      ['what it was asked', (head: string) => `${echo} ${head}`],
    ])('it answers with %s', async (_, body) => {
      const error = await failed((socket, head) => reply(socket, 200, body(head)));
      expect(error).toMatchObject({ code: 'issued-certificate-unusable', evidence: { reason: 'answer-malformed' } });
    });

    it('it answers with more than any chain has', async () => {
      const error = await failed((socket) => reply(socket, 200, 'A'.repeat(1_000_000)));
      expect(error).toMatchObject({ code: 'issued-certificate-unusable', evidence: { reason: 'answer-too-large' } });
    });

    it('it answers without end', async () => {
      const error = await failed((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        const more = () => socket.writable && socket.write(`1000\r\n${'A'.repeat(4096)}\r\n`, () => setImmediate(more));
        more();
      });
      expect(error).toMatchObject({ code: 'issued-certificate-unusable', evidence: { reason: 'answer-too-large' } });
    });

    it('it refuses at any length', async () => {
      if (protocol === 'step-ca' && stage === 'for its authorities') return;
      const error = await failed((socket) => reply(socket, 403, echo.repeat(50_000)));
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-403' } });
    });

    it('it does not speak HTTP', async () => {
      const error = await failed((socket, head) => socket.end(`${echo} ${head}\r\n\r\n`));
      expect(error.code).toBe('issuer-unavailable');
    });

    it('it ends its answer early', async () => {
      const error = await failed((socket) => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${echo}`));
      expect(error.code).toBe('issuer-unavailable');
    });

    it('it switches to another protocol', { timeout: 10_000 }, async () => {
      const error = await failed((socket) =>
        socket.write(`HTTP/1.1 101 ${echo}\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n${echo}`),
      );
      expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'http-101' } });
    });

    it('it sends 1xx responses endlessly', async () => {
      const error = await failed((socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(50)), {
        requestTimeoutMs: 300,
      });
      expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'timeout' } });
    });

    it('it closes the connection', async () => {
      expect((await failed((socket) => socket.destroy())).code).toBe('issuer-unavailable');
    });

    it.each([
      ['says nothing', (_: TLSSocket) => {}],
      ['stops after the head', (socket: TLSSocket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nA')],
    ])('it %s until the time of the order is over', async (_, begin) => {
      const over = new AbortController();
      const fault: Fault = (socket) => {
        begin(socket);
        setImmediate(() => over.abort());
      };
      const error = await failed(fault, { signal: over.signal });
      expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'timeout' } });
    });

    it('it sends byte after byte until the time of one request is over', async () => {
      const error = await failed(
        (socket) => {
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n');
          const trickle = setInterval(() => socket.write('A'), 5);
          socket.once('close', () => clearInterval(trickle));
        },
        { requestTimeoutMs: 100 },
      );
      expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'timeout' } });
    });

    it('it redirects elsewhere', async () => {
      if (protocol === 'step-ca' && stage === 'for its authorities') return;
      const elsewhere = await serveTcp((socket) => socket.destroy());
      const location = `location: https://localhost:${elsewhere.port}/\r\n`;
      const error = await failed((socket) => reply(socket, 307, echo, location));
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-307' } });
      expect(elsewhere.connections).toBe(0);
    });
  });

  it('its certificate is not under the roots', async () => {
    const { port, received } = await faulty(way, (socket) => reply(socket, 200, sound[protocol].signed));
    const roots = createAuthority({ commonName: 'Issuer root' }).certificate;
    const error = await failureOf(issue(way, { port, roots }), secrets());
    expect(error).toMatchObject({ code: 'issuer-unavailable', retryable: false });
    expect(received()).toBe('');
  });

  it('its certificate is for another name', async () => {
    const other = root.issue({ commonName: 'other.example', names: ['other.example'], usage: 'server' });
    const { port, received } = await serveHttps(other, (socket) => reply(socket, 200, ''));
    const error = await failureOf(issue(way, { port }), secrets());
    expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    expect(received()).toBe('');
  });

  it('its certificate is out of date', async () => {
    const dates = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
    const old = root.issue({ commonName: 'localhost', names: ['localhost'], usage: 'server', ...dates });
    const { port } = await serveHttps(old, (socket) => reply(socket, 200, ''));
    const error = await failureOf(issue(way, { port }), secrets());
    expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'CERT_HAS_EXPIRED' } });
  });

  it('its certificate has a fault without a code of Node: the detail has the words of OpenSSL', async () => {
    const request = {
      commonName: 'localhost',
      names: ['localhost'],
      usage: 'server',
      keyAlgorithm: 'RSA_1024',
    } as const;
    const options = { ciphers: 'DEFAULT:@SECLEVEL=0' };
    const { port } = await serveHttps(root.issue(request), (socket) => reply(socket, 200, ''), options);
    const error = await failureOf(issue(way, { port }), secrets());
    expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'other' } });
    expect(error.message).toBe("The certificate of the issuer's server is not trusted (EE certificate key too weak).");
  });

  it('it speaks no TLS that is allowed', async () => {
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const { port } = await serveHttps(server, (socket) => reply(socket, 200, ''), old);
    expect((await failureOf(issue(way, { port }), secrets())).code).toBe('issuer-unavailable');
    const plain = await serveTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect((await failureOf(issue(way, { port: plain.port }), secrets())).code).toBe('issuer-unavailable');
  });

  it('no server listens', async () => {
    const error = await failureOf(issue(way, { port: 1 }), secrets());
    expect(error).toMatchObject({ code: 'issuer-unavailable', evidence: { reason: 'ECONNREFUSED' }, retryable: true });
  });

  it('the order is over before it begins', async () => {
    const { port, connections } = await faulty(way, (socket) => reply(socket, 200, sound[protocol].signed));
    const error = await failureOf(issue(way, { port, signal: AbortSignal.abort() }), secrets());
    expect(error.code).toBe('issuer-unavailable');
    expect(connections).toBe(0);
  });

  if (isRenewal) {
    it('it rejects the certificate with an alert', async () => {
      const stranger = createAuthority({ commonName: 'Another root' });
      const { port } = await faulty(way, () => {}, 'for a signature', stranger.certificate);
      const error: CountersignError = await failureOf(issue(way, { port }), secrets());
      expect(['issuer-refused', 'issuer-unavailable']).toContain(error.code);
    });
  }
});

describe.skipIf(!openssl)('a step-ca that cannot renew (needs openssl)', () => {
  it.each([
    ['has no /rekey', (socket: TLSSocket) => reply(socket, 404, echo)],
    ['hangs up on the certificate', (socket: TLSSocket) => socket.destroy()],
  ])('and %s signs for a token', async (_, fault) => {
    const paths: string[] = [];
    const { port } = await faulty({ protocol: 'step-ca', isRenewal: true }, (socket, head) => {
      const [, path = ''] = head.split(' ');
      paths.push(path);
      if (path === '/1.0/sign') reply(socket, 201, sound['step-ca'].signed);
      else fault(socket);
    });
    const withToken = { provisioner: provisioner.name, provisionerKey: provisioner.key };
    const settings = { kind: 'step-ca', url: `https://localhost:${port}`, roots: root.certificate } as const;
    await stepCaIssuer({ ...settings, ...withToken }).issue(await orderOf({ current }));
    expect(paths).toEqual(['/1.0/rekey', '/1.0/sign']);
  });

  it('an expired certificate is not presented to it first', async () => {
    const paths: string[] = [];
    const { port } = await faulty({ protocol: 'step-ca', isRenewal: true }, (socket, head) => {
      paths.push(head.split(' ')[1] ?? '');
      reply(socket, 201, sound['step-ca'].signed);
    });
    const dates = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
    const { certificate, privateKey } = root.issue({ commonName: 'bot', ...dates });
    const withToken = { provisioner: provisioner.name, provisionerKey: provisioner.key };
    const settings = { kind: 'step-ca', url: `https://localhost:${port}`, roots: root.certificate } as const;
    const order = await orderOf({ current: { ...current, certificate, privateKey } });
    await stepCaIssuer({ ...settings, ...withToken }).issue(order);
    expect(paths).toEqual(['/1.0/sign']);
  });

  it('and fails is not tried with a token', async () => {
    const way = { protocol: 'step-ca', isRenewal: true } as const;
    let signatures = 0;
    const { port } = await faulty(way, (socket, head) => {
      if (head.includes('/1.0/sign')) signatures++;
      reply(socket, 503, echo);
    });
    const withToken = { provisioner: provisioner.name, provisionerKey: provisioner.key };
    const settings = { kind: 'step-ca', url: `https://localhost:${port}`, roots: root.certificate } as const;
    const error = await failureOf(stepCaIssuer({ ...settings, ...withToken }).issue(await orderOf({ current })));
    expect(error.code).toBe('issuer-unavailable');
    expect(signatures).toBe(0);
  });
});

interface At {
  readonly port: number;
  readonly roots?: string;
  readonly signal?: AbortSignal;
  readonly requestTimeoutMs?: number;
}

async function issue({ protocol, isRenewal }: Way, at: At) {
  const order = await orderOf({
    ...(isRenewal ? { current } : { names: ['dns:bot.example'] }),
    ...(at.signal ? { signal: at.signal } : {}),
  });
  const settings = { url: `https://localhost:${at.port}`, roots: at.roots ?? root.certificate };
  const options = at.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: at.requestTimeoutMs };
  if (protocol === 'EST') {
    const password = isRenewal ? {} : { username: user.name, password: user.password };
    return estIssuer({ kind: 'est', ...settings, ...password }, options).issue(order);
  }
  const token = isRenewal ? {} : { provisioner: provisioner.name, provisionerKey: provisioner.key };
  return stepCaIssuer({ kind: 'step-ca', ...settings, ...token }, options).issue(order);
}

function secrets(): string[] {
  const { d } = JSON.parse(provisioner.key) as { d: string };
  const basic = Buffer.from(`${user.name}:${user.password}`).toString('base64');
  const keyBody = current.privateKey.split('\n')[1] ?? '';
  return [echo, d, user.password, basic, keyBody, 'Authorization', 'authorization'];
}

/** Sound up to the stage that is given; another authority for clients makes it refuse ours in the handshake. */
function faulty(
  { protocol }: Way,
  fault: Fault,
  stage: 'for its authorities' | 'for a signature' = 'for a signature',
  clientRoots?: string,
) {
  const answer: Fault = (socket, head) => {
    const isSignature = head.startsWith('POST ');
    if (isSignature === (stage === 'for a signature')) fault(socket, head);
    else reply(socket, 200, isSignature ? sound[protocol].signed : sound[protocol].authorities);
  };
  return serveHttps(server, answer, clientRoots ? { ca: clientRoots, rejectUnauthorized: true } : {});
}

function reply(socket: TLSSocket, status: number, body: string | Buffer, headers = ''): void {
  const length = Buffer.byteLength(body);
  socket.write(`HTTP/1.1 ${status} Said\r\n${headers}content-length: ${length}\r\n\r\n`);
  socket.end(body);
}

function soundAt(protocol: Protocol, stage: string): string {
  return stage === 'for a signature' ? sound[protocol].signed : sound[protocol].authorities;
}

function half(text: string): string {
  return text.slice(0, text.length / 2);
}

/** One byte of the certificate's own length: the text around it stays sound. */
function damaged(protocol: Protocol): string {
  const der = Buffer.from(root.certificate.replace(/-----[^-]+-----/g, ''), 'base64');
  der[1] = 0x05;
  const pem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
  return protocol === 'EST' ? der.toString('base64') : JSON.stringify({ crt: pem, crts: [pem] });
}

function pkcs7(certificates: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-pkcs7-'));
  const file = join(folder, 'certificates.pem');
  writeFileSync(file, certificates);
  const text = execFileSync(openssl ?? 'openssl', ['crl2pkcs7', '-nocrl', '-certfile', file], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return text.replace(/-----[^-]+-----/g, '');
}
