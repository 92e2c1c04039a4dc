// A chain in the three forms that customers' servers and tools take: PEM, DER, and PKCS#7.
import type { X509Certificate } from 'node:crypto';
import { derElement, derObjectIdentifier, derTag } from '../../core/x509/der-writer.ts';

const signedData = '1.2.840.113549.1.7.2';
const data = '1.2.840.113549.1.7.1';
const set = 0x31;
const explicit0 = 0xa0;
const version1 = Buffer.of(0x02, 0x01, 0x01);

/** DER of a SignedData without a signature (RFC 5652, section 5.1), which Windows and Java take as a chain: `.p7b`. */
function certificatesOnly(chain: readonly X509Certificate[]): Buffer {
  const content = derElement(
    derTag.sequence,
    version1,
    derElement(set),
    derElement(derTag.sequence, derObjectIdentifier(data)),
    // A SET OF is sorted in DER (X.690, section 11.6): the order of the chain is not in it.
    derElement(explicit0, ...chain.map(({ raw }) => Buffer.from(raw)).sort(Buffer.compare)),
    derElement(set),
  );
  return derElement(derTag.sequence, derObjectIdentifier(signedData), derElement(explicit0, content));
}

/** The same in the order of a chain, each by its role: no intermediate may be taken for the root that is to be trusted. */
export interface Chain {
  readonly client: X509Certificate;
  /** In issuer order; may be empty. */
  readonly intermediates: readonly X509Certificate[];
  readonly root: X509Certificate;
}

/** Name and content of each file. */
export function certificateFiles({
  client,
  intermediates,
  root,
}: Chain): readonly (readonly [string, string | Buffer])[] {
  const chain = [client, ...intermediates, root];
  return [
    ['platform-root.pem', root.toString()],
    ['platform-root.cer', Buffer.from(root.raw)],
    ...(intermediates.length > 0 ? ([['platform-intermediates.pem', intermediates.join('')]] as const) : []),
    ...intermediates.map((one, index) => [`platform-intermediate-${index + 1}.cer`, Buffer.from(one.raw)] as const),
    ['client.pem', client.toString()],
    ['client.cer', Buffer.from(client.raw)],
    ['chain.pem', chain.join('')],
    ['chain.p7b', certificatesOnly(chain)],
  ];
}
