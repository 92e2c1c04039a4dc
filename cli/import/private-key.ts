// The private key of an identity: whole in all its parts, and written the same way whichever form it came in.
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { checkPrivateKey } from '../../core/x509/private-key.ts';

/**
 * PEM, PKCS#8. Of an EC key the public half may be left out in what was read (RFC 5915, section 3), and OpenSSL would
 * leave it out again.
 */
export function keyText(key: KeyObject): string {
  let whole = key;
  try {
    if (key.asymmetricKeyType === 'ec') whole = createPrivateKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });
  } catch {
    // A curve that JWK has no name for; the curve is a finding of its own.
  }
  return whole.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Whether it signs for the certificate, and none of its parts is damaged. Of a kind that no identity has, nothing is said. */
export function isSound(key: KeyObject, certificate: X509Certificate): boolean {
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') return true;
  try {
    checkPrivateKey(keyText(key), certificate);
  } catch {
    return false;
  }
  return key.asymmetricKeyType !== 'rsa' || isWholeRsa(key);
}

/**
 * RFC 8017, section 3.2. A signature does not show it: OpenSSL has two ways to make one, and where the remainders are
 * damaged or the exponent is, it takes the other. Other libraries have one.
 */
function isWholeRsa(key: KeyObject): boolean {
  const jwk = key.export({ format: 'jwk' });
  const number = (text: string | undefined) => BigInt(`0x0${Buffer.from(text ?? '', 'base64url').toString('hex')}`);
  const [n, e, d, p, q] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q].map(number) as [bigint, bigint, bigint, bigint, bigint];
  const [dp, dq, qi] = [jwk.dp, jwk.dq, jwk.qi].map(number) as [bigint, bigint, bigint];
  if (p < 3n || q < 3n || p * q !== n) return false;
  return (
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    d % (p - 1n) === dp &&
    d % (q - 1n) === dq &&
    (q * qi) % p === 1n
  );
}
