// A certs-only PKCS#7 is read as it was signed, in DER and in BER; whatever else comes is refused in time.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { certificatesOf } from '../../../core/issuers/est.ts';
import { readElements } from '../../../core/x509/der.ts';
import { pemBlocks } from '../../../core/x509/pem.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { findPeer } from '../../support/peers.ts';

const openssl = findPeer('openssl') ?? 'openssl';
let folder: string;
let chain: string;
let der: Buffer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-pkcs7-'));
  const root = createAuthority({ commonName: 'Root', keyAlgorithm: 'RSA_2048' });
  const issuer = root.intermediate({ commonName: 'Issuer', keyAlgorithm: 'EC_P384' });
  chain =
    issuer.issue({ commonName: 'bot', names: ['bot.example'] }).certificate + issuer.certificate + root.certificate;
  writeFileSync(join(folder, 'chain.pem'), chain);
  der = run(['crl2pkcs7', '-nocrl', '-certfile', 'chain.pem', '-outform', 'der']);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!findPeer('openssl'))('the certificates of an EST answer (needs openssl)', () => {
  it('are those that were put in, byte for byte', () => {
    expect(fingerprints(certificatesOf(base64(der)))).toEqual(fingerprints(chain));
  });

  it('in base64 with any white space', () => {
    const text = der.toString('base64').replace(/.{1,7}/g, '$& \t\r\n');
    expect(fingerprints(certificatesOf(Buffer.from(text)))).toEqual(fingerprints(chain));
  });

  it('in BER of indefinite length', () => {
    const ber = indefinite(der, 3);
    expect(ber.equals(der)).toBe(false);
    expect(fingerprints(certificatesOf(base64(ber)))).toEqual(fingerprints(chain));
  });

  it('with a signature beside them, as of any signed message', () => {
    const authority = createAuthority({ commonName: 'Signer' });
    const signer = authority.issue({ commonName: 'signer' });
    writeFileSync(join(folder, 'signer.pem'), signer.certificate);
    writeFileSync(join(folder, 'signer.key'), signer.privateKey, { mode: 0o600 });
    const message = ['cms', '-sign', '-binary', '-in', 'chain.pem', '-signer', 'signer.pem', '-inkey', 'signer.key'];
    const signed = run([...message, '-outform', 'der']);
    expect(fingerprints(certificatesOf(base64(signed)))).toEqual(fingerprints(signer.certificate));
  });

  it('are rejected if the response is not a PKCS#7 of certificates', () => {
    writeFileSync(join(folder, 'empty'), '');
    const none = run(['cms', '-data_create', '-in', 'empty', '-outform', 'der']);
    const leaf = Buffer.from(new X509Certificate(chain).raw);
    for (const bytes of [none, leaf, der.subarray(0, -1), der.subarray(1), Buffer.alloc(0)])
      expectRefused(base64(bytes));
    expectRefused(der);
    expectRefused(Buffer.from(chain));
  });

  it('are refused when one byte anywhere is another, or read as certificates all the same', () => {
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ change;
        readOrRefused(base64(changed));
      }),
      { numRuns: 500 },
    );
  });

  it('are refused in whatever bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readOrRefused(base64(Buffer.from(bytes)))),
    );
    fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => void readOrRefused(Buffer.from(text))));
  });

  it.each([
    ['sequences inside one another', Buffer.alloc(190_000, Buffer.of(0x30, 0x80))],
    [
      'empty elements',
      Buffer.concat([Buffer.of(0x30, 0x83, 0x02, 0xe6, 0x2c), Buffer.alloc(189_996, Buffer.of(5, 0))]),
    ],
  ])('are refused in %s, as many as an answer has room for', (_, bytes) => {
    expectRefused(base64(bytes));
  });
});

function run(args: readonly string[]): Buffer {
  return execFileSync(openssl, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
}

function base64(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64'));
}

function fingerprints(pem: string): string[] {
  return pemBlocks(pem, 'the test').map(({ text }) => new X509Certificate(text).fingerprint256);
}

/** The outer elements with an end-of-contents in the place of a length, as deep as is said (X.690, section 8.1.3.6). */
function indefinite(element: Buffer, depth: number): Buffer {
  const [outer] = readElements(element, 1) ?? [];
  if (!outer || depth === 0 || (outer.tag & 0x20) === 0) return element;
  const inside = (readElements(outer.content, 100) ?? []).map(({ whole }) => indefinite(whole, depth - 1));
  return Buffer.concat([Buffer.of(outer.tag, 0x80), ...inside, Buffer.of(0, 0)]);
}

/** What was read, if anything; nothing but the one refusal is thrown. */
function readOrRefused(body: Buffer): string[] | undefined {
  try {
    return fingerprints(certificatesOf(body));
  } catch (error) {
    expect(error).toBeInstanceOf(CountersignError);
    expect(error).toMatchObject({ code: 'issued-certificate-unusable', evidence: { reason: 'answer-malformed' } });
    return undefined;
  }
}

function expectRefused(body: Buffer): void {
  expect(readOrRefused(body)).toBeUndefined();
}
