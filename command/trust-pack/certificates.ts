// A chain in the three forms that customers' servers and tools take: PEM, DER, and PKCS#7.
import type { X509Certificate } from 'node:crypto';
import { derElement, derObjectIdentifier, derTag } from '../../functions/issuer/der-writer.ts';

const signedData = '1.2.840.113549.1.7.2';
const data = '1.2.840.113549.1.7.1';
const set = 0x31;
const explicit0 = 0xa0;
const version1 = Buffer.of(0x02, 0x01, 0x01);

/** DER of a SignedData without a signature (RFC 5652, section 5.1), which Windows and Java take as a chain: `.p7b`. */
export function certificatesOnly(chain: readonly X509Certificate[]): Buffer {
  const content = derElement(
    derTag.sequence,
    version1,
    derElement(set),
    derElement(derTag.sequence, derObjectIdentifier(data)),
    derElement(explicit0, ...chain.map(({ raw }) => Buffer.from(raw))),
    derElement(set),
  );
  return derElement(derTag.sequence, derObjectIdentifier(signedData), derElement(explicit0, content));
}

/** Name and content of each file; the client certificate is first in `chain`, the root last. */
export function certificateFiles(chain: readonly X509Certificate[]): readonly (readonly [string, string | Buffer])[] {
  const [client, ...issuers] = chain as readonly [X509Certificate, ...X509Certificate[]];
  const root = issuers.at(-1);
  const intermediates = issuers.slice(0, -1);
  return [
    ...(root
      ? ([
          ['platform-root.pem', root.toString()],
          ['platform-root.cer', Buffer.from(root.raw)],
        ] as const)
      : []),
    ...(intermediates.length > 0 ? ([['platform-intermediates.pem', intermediates.join('')]] as const) : []),
    ...intermediates.map((one, index) => [`platform-intermediate-${index + 1}.cer`, Buffer.from(one.raw)] as const),
    ['client.pem', client.toString()],
    ['client.cer', Buffer.from(client.raw)],
    ['chain.pem', chain.join('')],
    ['chain.p7b', certificatesOnly(chain)],
  ];
}
