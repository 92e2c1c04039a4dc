// Reads the private key of an identity and proves that it is the one the client certificate was issued for.
import { createPrivateKey, type KeyObject, sign, verify, type X509Certificate } from 'node:crypto';
import { unusable } from '../identity/unusable.ts';
import { type KeyForm, keyFaultWords, privateKeyFault } from './key-limits.ts';
import { octetsOf, type PemBlock, pemBlocks } from './pem.ts';

const where = 'privateKey';
const forms = new Map<string, KeyForm>([
  ['PRIVATE KEY', 'pkcs8'],
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['EC PRIVATE KEY', 'sec1'],
]);

/** The key as one PEM block: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC1 (RFC 5915). Throws `identity-unusable`. */
export function checkPrivateKey(text: string, certificate: X509Certificate): string {
  // `openssl ecparam -genkey` writes the curve's name in a block of its own before the key.
  const blocks = pemBlocks(text, where).filter(({ label }) => label !== 'EC PARAMETERS');
  const block = blocks[0];
  if (block === undefined || blocks.length > 1) {
    const found = block === undefined ? 'no key' : 'more than one block';
    throw unusable('key-malformed', where, `privateKey must hold one PEM private key, but holds ${found}.`);
  }
  if (block.label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(block.text)) {
    throw unusable('key-encrypted', where, 'privateKey is encrypted with a passphrase; it must be stored decrypted.');
  }
  const form = forms.get(block.label);
  if (form === undefined) {
    throw unusable(
      'key-malformed',
      where,
      'privateKey holds a PEM block that is not a private key of PKCS#8, PKCS#1 or SEC1.',
    );
  }
  const key = parseKey(block, form);
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') {
    throw unusable('key-type', where, 'privateKey is neither an RSA nor an EC key.');
  }
  if (!certificate.checkPrivateKey(key) || !signsFor(key, certificate)) {
    throw unusable('key-mismatch', where, 'privateKey is not the key that certificate was issued for.');
  }
  return block.text;
}

function parseKey(block: PemBlock, form: KeyForm): KeyObject {
  const fault = privateKeyFault(octetsOf(block), form);
  if (fault) throw unusable(fault, where, `privateKey is a key ${keyFaultWords[fault]}.`);
  try {
    return createPrivateKey(block.text);
  } catch {
    throw unusable('key-malformed', where, 'privateKey cannot be parsed.');
  }
}

/** checkPrivateKey compares public halves alone; a damaged private half would be found out by the customer's server. */
function signsFor(key: KeyObject, certificate: X509Certificate): boolean {
  const proof = Buffer.from('countersign');
  try {
    return verify('sha256', proof, certificate.publicKey, sign('sha256', proof, key));
  } catch {
    return false;
  }
}
