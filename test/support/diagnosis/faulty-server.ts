// Servers whose chain has one fault: made byte by byte, because no authority issues them.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { der, ecKey, extension, type HostileCertificate, hostile, pemOf } from './hostile-certificate.ts';

export interface FaultyChain {
  /** Each without issuer, signer and key; the names and `subject` can be set. */
  readonly leaf?: Partial<HostileCertificate>;
  readonly issuer?: Partial<HostileCertificate>;
  readonly root?: Partial<HostileCertificate>;
}

export interface FaultyServer extends IssuedCertificate {
  /** PEM. */
  readonly issuerKey: string;
}

/**
 * Two certificates for one key, of one length: the second can stand in the first one's place in a flight of TLS 1.2,
 * where no signature covers it before Finished.
 */
export function twoLeaves(first: Partial<HostileCertificate>, second: Partial<HostileCertificate>) {
  const server = faultyServer({ leaf: first });
  const shown = new X509Certificate(server.certificate);
  for (;;) {
    const other = hostile({
      subject: 'api',
      issuer: 'Issuer',
      key: shown.publicKey,
      signer: createPrivateKey(server.issuerKey),
      names: [Buffer.from('localhost')],
      ...second,
    });
    // The length of an ECDSA signature varies by a byte or two.
    if (other.length === shown.raw.length) return { server, shown: shown.raw, other };
  }
}

/** Leaf `CN=api` for localhost, issuer `CN=Issuer`, root `CN=Root`. */
export function faultyServer({ leaf, issuer, root }: FaultyChain): FaultyServer {
  const keys = { leaf: ecKey(), issuer: ecKey(), root: ecKey() };
  const authority = { isAuthority: true } as const;
  const own = hostile({
    subject: 'api',
    issuer: 'Issuer',
    key: keys.leaf.publicKey,
    signer: keys.issuer.privateKey,
    names: [Buffer.from('localhost')],
    ...leaf,
  });
  const above = hostile({
    subject: 'Issuer',
    issuer: 'Root',
    key: keys.issuer.publicKey,
    signer: keys.root.privateKey,
    serial: Buffer.of(2),
    ...authority,
    ...issuer,
  });
  const top = hostile({
    subject: 'Root',
    issuer: 'Root',
    key: keys.root.publicKey,
    signer: keys.root.privateKey,
    serial: Buffer.of(3),
    ...authority,
    ...root,
  });
  return {
    certificate: pemOf(own),
    privateKey: keys.leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    intermediates: pemOf(above),
    root: pemOf(top),
    issuerKey: keys.issuer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const serverAuth = Buffer.from('2b06010505070301', 'hex');
const clientAuth = Buffer.from('2b06010505070302', 'hex');

export const extensions = {
  extendedKeyUsage: (usage: 'server' | 'client') =>
    extension('551d25', der(0x30, der(6, usage === 'server' ? serverAuth : clientAuth))),
  /** `80`: digitalSignature; `20`: keyEncipherment; `02`: cRLSign. */
  keyUsage: (bits: string) => extension('551d0f', der(3, Buffer.from(`00${bits}`, 'hex')), true),
  pathLength: (most: number) =>
    extension('551d13', der(0x30, Buffer.from('0101ff', 'hex'), der(2, Buffer.of(most))), true),
  unknown: () => extension('2a0304', Buffer.of(5, 0), true),
  /** Excluded DNS names (RFC 5280, section 4.2.1.10). */
  excludes: (...names: readonly string[]) =>
    extension('551d1e', der(0x30, der(0xa1, ...names.map((name) => der(0x30, der(0x82, Buffer.from(name)))))), true),
  permits: (...names: readonly string[]) =>
    extension('551d1e', der(0x30, der(0xa0, ...names.map((name) => der(0x30, der(0x82, Buffer.from(name)))))), true),
  /** RFC 7633: status_request. */
  mustStaple: () => extension('2b06010505070118', der(0x30, der(2, Buffer.of(5)))),
} as const;
