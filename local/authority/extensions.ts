// The extensions of a certificate as node-forge wants them, where its own words for them do not reach.
import forge from 'node-forge';
import { readElements } from '../../core/x509/der-reader.ts';

/** Extended key usages; `none` leaves the extension out. */
export type Usage = 'client' | 'server' | 'both' | 'none' | 'any' | 'codeSigning';

export function usageExtension(usage: Usage): object[] {
  if (usage === 'none') return [];
  // anyExtendedKeyUsage (RFC 5280, section 4.2.1.12).
  if (usage === 'any') return [{ name: 'extKeyUsage', '2.5.29.37.0': true }];
  if (usage === 'codeSigning') return [{ name: 'extKeyUsage', codeSigning: true }];
  return [{ name: 'extKeyUsage', clientAuth: usage !== 'server', serverAuth: usage !== 'client' }];
}

/** GeneralName: 2 is a DNS name, 7 an address (RFC 5280, section 4.2.1.6). */
export function altName(name: string): object {
  return /^[\d.]+$|:/.test(name) ? { type: 7, ip: name } : { type: 2, value: name };
}

/** Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280, section 4.1). */
export function extension(der: Buffer): object {
  const [oid, ...rest] = readElements(readElements(der, 1)?.[0]?.content ?? Buffer.alloc(0), 3) ?? [];
  const id = forge.asn1.derToOid(oid?.content.toString('binary') ?? '');
  return { id, critical: rest.length > 1, value: rest.at(-1)?.content.toString('binary') };
}

export function octetString(hex: string): string {
  const { asn1 } = forge;
  return asn1
    .toDer(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, forge.util.hexToBytes(hex)))
    .getBytes();
}
