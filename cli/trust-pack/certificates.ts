// A chain in the three forms that customers' servers and tools take: PEM, DER, and PKCS#7.
import type { X509Certificate } from 'node:crypto';
import { writePkcs7 } from '../../core/x509/pkcs7.ts';

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
    ['chain.p7b', writePkcs7(chain.map(({ raw }) => Buffer.from(raw)))],
  ];
}
