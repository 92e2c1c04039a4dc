// The one-time token for the first certificate of step-ca: a JWT, signed with the key of a JWK provisioner.
import { randomBytes } from 'node:crypto';
import { calculateJwkThumbprint, compactDecrypt, importJWK, type JWK, SignJWT } from 'jose';
import { settingUnusable } from '../identity/unusable.ts';

export interface Provisioner {
  readonly name: string;
  /** Private JWK (RFC 7517) as JSON, or the `encryptedKey` of the provisioner in ca.json (RFC 7516, compact). */
  readonly key: string;
  /** For `encryptedKey`. */
  readonly password: string | undefined;
}

/** step-ca's own client gives a token five minutes. */
const lifetimeSeconds = 300;
/** smallstep uses 100,000 to 600,000 PBES2 rounds; the default limit of jose is 10,000. */
const maxRounds = 1_000_000;

/**
 * Claims as step-ca's JWK provisioner checks them: it finds the provisioner by issuer and key id, compares the common
 * name of the request with `sub` and its alternative names with `sans`, and accepts each `jti` once. The `jti` is
 * random, so that a retry is accepted. `signUrl` must use one of the authority's `dnsNames`. `now` is in milliseconds
 * since 1970. Throws `renewal-unusable`, which never quotes the key.
 */
export async function oneTimeToken(
  provisioner: Provisioner,
  signUrl: string,
  { subject, names }: { readonly subject: string; readonly names: readonly string[] },
  now: number,
): Promise<string> {
  const jwk = await privateJwk(provisioner);
  const algorithm = algorithmOf(jwk);
  const issuedAt = Math.floor(now / 1000);
  try {
    const keyId = jwk.kid ?? (await calculateJwkThumbprint(jwk));
    return await new SignJWT({ sans: names.length > 0 ? [...names] : [subject] })
      .setProtectedHeader({ alg: algorithm, kid: keyId, typ: 'JWT' })
      .setIssuer(provisioner.name)
      .setAudience(signUrl)
      .setSubject(subject)
      .setJti(randomBytes(32).toString('hex'))
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(await importJWK(jwk, algorithm));
  } catch {
    throw settingUnusable('renewal: issuer.provisionerKey cannot sign.');
  }
}

async function privateJwk({ key, password }: Provisioner): Promise<JWK> {
  const text = key.trim();
  const json = text.startsWith('{') ? text : await decrypted(text, password);
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw settingUnusable('renewal: issuer.provisionerKey is not a JWK.');
  }
  const jwk = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as JWK;
  if (
    typeof jwk.kty !== 'string' ||
    typeof jwk.d !== 'string' ||
    (jwk.kid !== undefined && typeof jwk.kid !== 'string')
  ) {
    throw settingUnusable('renewal: issuer.provisionerKey must be a private JWK.');
  }
  return jwk;
}

async function decrypted(text: string, password: string | undefined): Promise<string> {
  if (password === undefined) {
    throw settingUnusable('renewal: issuer.provisionerKey is encrypted, and there is no issuer.provisionerPassword.');
  }
  try {
    const { plaintext } = await compactDecrypt(text, new TextEncoder().encode(password), {
      keyManagementAlgorithms: ['PBES2-HS256+A128KW', 'PBES2-HS384+A192KW', 'PBES2-HS512+A256KW'],
      maxPBES2Count: maxRounds,
    });
    return new TextDecoder().decode(plaintext);
  } catch {
    throw settingUnusable('renewal: issuer.provisionerKey cannot be decrypted with issuer.provisionerPassword.');
  }
}

/** RFC 7518, section 3.1, and RFC 8037. For RSA, `alg` of the key decides. */
function algorithmOf({ kty, crv, alg }: JWK): string {
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'EC' && crv === 'P-384') return 'ES384';
  if (kty === 'EC' && crv === 'P-521') return 'ES512';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  if (kty === 'RSA') return typeof alg === 'string' && /^[RP]S(256|384|512)$/.test(alg) ? alg : 'RS256';
  throw settingUnusable('renewal: issuer.provisionerKey must be an EC, RSA or Ed25519 key.');
}
