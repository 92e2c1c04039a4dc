// What a server's certificates make us compute is bounded, and nothing in them ends a diagnosis.
import { createHash, sign, X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Destination } from '../../../core/destination/destination.ts';
import { verifyStaple } from '../../../core/diagnosis/ocsp.ts';
import { handshakeFailure } from '../../../core/tls/handshake-failure.ts';
import { createIssuedBy, isIssuedBy } from '../../../core/x509/trust.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import {
  der,
  ecKey,
  type HostileCertificate,
  hostile,
  type KeyPair,
  nameOf,
  pemOf,
  rsaKey,
} from '../../support/diagnosis/hostile-certificate.ts';
import { serveTls } from '../../support/servers.ts';

const trial = useDiagnosing();
const own = ecKey();
const authority = ecKey();
const of = (fields: Partial<HostileCertificate>) =>
  hostile({ subject: 'api', issuer: 'Evil', key: own.publicKey, signer: authority.privateKey, ...fields });
const authorityOf = (key: KeyPair, signer: KeyPair) =>
  of({ subject: 'Evil', key: key.publicKey, signer: signer.privateKey, isAuthority: true });

function served(leaf: Buffer, ...others: Buffer[]): IssuedCertificate {
  const privateKey = own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { ...trial.server, certificate: pemOf(leaf), intermediates: others.map(pemOf).join(''), privateKey };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the signatures of a chain', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('are checked a bounded number of times over %s', async (maxVersion) => {
    const keys = Array.from({ length: 31 }, ecKey);
    // All of one name, and each certified by the one before it: in no order that helps.
    const others = keys.map((key, index) => authorityOf(key, keys[Math.max(0, index - 1)] as KeyPair));
    const leaf = of({ names: [Buffer.from('localhost')], signer: (keys.at(-1) as KeyPair).privateKey });
    const { port } = await serveTls(served(leaf, ...others), () => {}, { maxVersion });
    const verify = vi.spyOn(X509Certificate.prototype, 'verify');
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis.verdict).toBe('server-not-trusted');
    expect(diagnosis.server?.chain).toHaveLength(32);
    expect(verify.mock.calls.length).toBeGreaterThan(0);
    expect(verify.mock.calls.length).toBeLessThanOrEqual(40 + 16);
  });

  it('are checked once for each pair', () => {
    const leaf = new X509Certificate(of({}));
    const issuer = new X509Certificate(authorityOf(authority, authority));
    const verify = vi.spyOn(X509Certificate.prototype, 'verify');
    const isIssued = createIssuedBy();
    expect([isIssued(leaf, issuer), isIssued(leaf, issuer), isIssued(issuer, leaf)]).toEqual([true, true, false]);
    expect(verify).toHaveBeenCalledOnce();
  });

  it('are not checked with an oversized key', () => {
    const pairs = [65_537n, 2n ** 33n + 17n, 2n ** 256n - 189n, 2n ** 256n + 297n, 2n ** 1023n + 1155n];
    const accepted = pairs.map((exponent) => {
      const key = rsaKey(exponent);
      const leaf = new X509Certificate(of({ signer: key.privateKey }));
      return isIssuedBy(leaf, new X509Certificate(authorityOf(key, key)));
    });
    expect(accepted).toEqual([true, true, true, false, false]);
  });
});

describe('a serial number that is negative', () => {
  it.each([Buffer.of(0xff), Buffer.of(0x80, 1)])('is compared with its sign', (serial) => {
    const leaf = new X509Certificate(of({ serial }));
    const issuer = new X509Certificate(authorityOf(authority, authority));
    expect(leaf.serialNumber).toMatch(/^-/);
    expect(verifyStaple(stapleFor(serial), leaf, issuer, Date.now()).status).toBe('good');
    const other = verifyStaple(stapleFor(Buffer.of(1)), leaf, issuer, Date.now());
    expect(other).toEqual({ status: 'invalid', says: 'is about another certificate' });
  });
});

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'an unreadable leaf is not replaced by the next certificate over %s',
  async (maxVersion) => {
    const leaf = of({ names: [Buffer.from('localhost')], notAfter: '49XX31235959Z' });
    const sound = Buffer.from(new X509Certificate(trial.server.certificate).raw);
    const { port } = await serveTls(served(leaf, sound), () => {}, { maxVersion });
    const diagnosis = await trial.diagnose(port);
    expect(['server-not-trusted', 'unreachable']).toContain(diagnosis.verdict);
    expect(diagnosis.steps[2]).toMatchObject({
      status: 'failed',
      findings: [{ code: 'server-certificate-invalid', evidence: { reason: 'unreadable', served: 2 } }],
    });
    expect(diagnosis.server?.chain).toEqual([]);
  },
);

it('an exception during the classification of a failure is a failure of the call', () => {
  const leaf = new X509Certificate(of({}));
  Object.defineProperty(leaf, 'raw', {
    get() {
      throw new Error('no such name');
    },
  });
  const progress = {
    answered: true,
    asked: true,
    askedLate: false,
    renegotiated: false,
    chain: [leaf],
    unverified: true,
    ended: undefined,
  } as const;
  const destination: Destination = {
    host: 'localhost',
    port: 443,
    minTlsVersion: 'TLSv1.2',
    maxTlsVersion: 'TLSv1.3',
    requireMutual: false,
    network: 'loopback',
  };
  const terms = { destination, serverName: 'localhost' };
  const error = Object.assign(new Error('untrusted'), { code: 'CERT_UNTRUSTED' });
  expect(handshakeFailure(error, progress, terms, Date.now).code).toBe('internal-error');
});

/** The authority's word that its certificate of that number is good (RFC 6960, section 4.2.1). */
function stapleFor(serial: Buffer): Buffer {
  const spki = authority.publicKey.export({ type: 'spki', format: 'der' });
  // An uncompressed point is 65 bytes.
  const hashes = [nameOf('Evil'), spki.subarray(-65)].map((part) => createHash('sha1').update(part).digest());
  const time = der(0x18, Buffer.from('20250101000000Z'));
  const id = der(0x30, hex('300706052b0e03021a'), ...hashes.map((hash) => der(4, hash)), der(2, serial));
  const single = der(0x30, id, der(0x80), time);
  const data = der(0x30, der(0xa1, nameOf('Evil')), time, der(0x30, single));
  const signature = der(3, Buffer.of(0), sign('sha256', data, authority.privateKey));
  const basic = der(0x30, data, hex('300a06082a8648ce3d040302'), signature);
  return der(0x30, hex('0a0100'), der(0xa0, der(0x30, hex('06092b0601050507300101'), der(4, basic))));
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
