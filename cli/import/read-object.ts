// One piece of ASN.1, read as what it is.
import { type Ber, readBer } from './ber.ts';
import type { Collector } from './collector.ts';
import { readEncryptedKey } from './encrypted-key.ts';
import { refused } from './finding.ts';
import { readPkcs7 } from './pkcs7.ts';
import { readPkcs12 } from './pkcs12.ts';
import { recognise } from './recognise.ts';

/** Throws `format-unknown` and what the readers throw. */
async function readObject(node: Ber, where: string, collector: Collector): Promise<void> {
  switch (recognise(node)) {
    case 'certificate':
      return collector.certificate(node.whole, where);
    case 'pkcs8':
      return collector.key(node.whole, 'pkcs8', where);
    case 'pkcs1':
      return collector.key(node.whole, 'pkcs1', where);
    case 'sec1':
      return collector.key(node.whole, 'sec1', where);
    case 'encrypted-key':
      return await readEncryptedKey(node, where, collector);
    case 'pkcs12':
      return await readPkcs12(node, where, collector);
    case 'pkcs7':
      return await readPkcs7(node, where, collector);
    case 'certificate-request': {
      const sentence = `${where} is a certificate request, not the certificate that the authority made of it.`;
      return collector.finding('certificate-request', where, sentence);
    }
    case 'revocation-list':
      return collector.finding(
        'revocation-list',
        where,
        `${where} is a revocation list, which an identity does not need.`,
      );
    case 'public-key':
      return collector.finding('public-key', where, `${where} is a public key; the private key is needed.`);
    case 'parameters':
      return;
    case undefined:
      throw refused('format-unknown', where, `${where} is neither a key nor a certificate nor a keystore.`);
  }
}

/** DER files, one object or several one after the other. Throws `file-damaged` for what stands behind the last of them, and `too-many-objects`. */
export async function readObjects(bytes: Buffer, where: string, collector: Collector): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const node = readBer(rest, where);
    if (node === undefined) {
      // Line breaks and padding that a transfer left.
      if (rest.length < bytes.length && /^[\0\s]*$/.test(rest.toString('latin1'))) return;
      throw rest.length < bytes.length ? leftOver(where) : damaged(where);
    }
    rest = rest.subarray(node.whole.length);
    if (node.tag === 0 && node.whole.length === 2) continue;
    await collector.object(where, () => readObject(node, where, collector));
  }
}

function damaged(where: string) {
  const sentence = `${where} begins like a key, a certificate or a keystore in DER, but is cut short or damaged.`;
  return refused('file-damaged', where, sentence);
}

function leftOver(where: string) {
  return refused('file-damaged', where, `${where} holds bytes behind its last object that belong to nothing.`);
}
